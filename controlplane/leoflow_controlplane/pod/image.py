"""By which name a node pulls the image of a task. Pure."""

from __future__ import annotations


def pinned(reference: str, digest: str | None) -> str:
    """Give an image by its digest where it has one that a registry knows.

    A bare name is of an image that was loaded into the nodes, which may know it by its name only.
    """
    if digest is None or "@" in reference or not names_registry(reference):
        return reference
    path, colon, tag = reference.rpartition(":")
    name = path if colon and "/" not in tag else reference
    return f"{name}@{digest}"


def names_registry(reference: str) -> bool:
    """Say whether it is written in a reference where to pull it from."""
    host, slash, _ = reference.partition("/")
    return bool(slash) and ("." in host or ":" in host or host == "localhost")
