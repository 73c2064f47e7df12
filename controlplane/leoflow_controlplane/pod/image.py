"""By which name a node pulls the image of a task. Pure."""

from __future__ import annotations


def pinned(reference: str, digest: str | None) -> str:
    """Give an image by its digest where it has one that a registry knows.

    A bare name is of an image that was loaded into the nodes, which may know it by its name only.
    """
    host, slash, _ = reference.partition("/")
    names_registry = bool(slash) and ("." in host or ":" in host or host == "localhost")
    if digest is None or "@" in reference or not names_registry:
        return reference
    path, colon, tag = reference.rpartition(":")
    name = path if colon and "/" not in tag else reference
    return f"{name}@{digest}"
