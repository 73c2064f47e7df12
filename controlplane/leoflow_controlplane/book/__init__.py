"""What the writer remembers of runs that are not over. Holds no SQL: ``store`` reads and writes."""
