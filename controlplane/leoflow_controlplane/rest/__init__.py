"""The REST API for people and programs, in Airflow 3's shapes: turns requests into commands and
queries, decides nothing."""
