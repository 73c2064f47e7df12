"""The errors that are nobody's project: a tool, an engine or a network that failed.

What is wrong with a project is a ProjectError instead, with a place in a file.
"""

from __future__ import annotations


class BuildError(Exception):
    """A build cannot go on; the text says what failed and what to do."""


class IndexUnreachable(BuildError):
    """No package index answered."""


class EngineError(BuildError):
    """The container engine is missing, or refused what was asked of it."""


class WishRefused(BuildError):
    """What was asked for makes no sense; the text says what to ask for."""
