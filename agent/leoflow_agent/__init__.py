"""Everything that is inside a task's container. Standard library only; imports nothing here."""
