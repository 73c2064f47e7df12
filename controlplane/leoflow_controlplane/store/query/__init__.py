"""What people and programs read: each module reads one kind of thing, on a reader's connection.

Nothing here writes, waits or decides; the path from a report to its successor never comes here.
"""
