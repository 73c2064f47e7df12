"""Looks into images, wherever they are: an OCI layout, an archive, an engine, a registry.

It changes none, and knows nothing of how leoflow makes them but for the names of their parts.
"""
