"""The one writer of state: every SQL statement of leoflow is in this package.

Each function takes an open connection and is one step of a short transaction; only
``database`` opens, commits and rolls back.
"""
