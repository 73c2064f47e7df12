"""When runs of a DAG are due: pure functions of a schedule, the clock and what was made before."""
