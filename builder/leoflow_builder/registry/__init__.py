"""Talks to registries by the OCI distribution specification, without an engine.

It imports httpx, which costs more than an unchanged build takes: import it at first use.
"""
