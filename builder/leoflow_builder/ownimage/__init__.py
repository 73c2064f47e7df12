"""Images that users bring: found, kept as they are, unpacked, and their Python run on this host.

What is put on top of them is not decided here.
"""
