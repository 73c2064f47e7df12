"""The runs that nobody asks for one by one: those of schedules, and those of backfills."""
