"""What the writer remembers of the runs that are not over. Holds no SQL: ``store`` reads and writes."""
