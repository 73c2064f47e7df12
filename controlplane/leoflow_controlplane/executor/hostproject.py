"""Which program the tries of a DAG are where no image says it. Prepares nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple


class HostProject(NamedTuple):
    """A DAG's code on this machine: ``command`` is the agent, to be started in ``folder``.

    ``environment`` is what the agent needs on top of what the DAG declares.
    """

    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]


FindProject = Callable[[str], HostProject]
"""Gives the code of a dag_id; LaunchFailed if there is none. May take long: called in threads."""
