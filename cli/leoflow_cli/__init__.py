"""The command ``leoflow``: may import everything, is imported by nothing."""
