"""What a project's code is read and run with on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from leoflow_builder.assemble import Options
from leoflow_builder.failure import BuildError
from leoflow_builder.prepare import Environment, prepare
from leoflow_builder.project import Project
from leoflow_builder.reading import DEFAULT_TIMEOUT_SECONDS
from leoflow_builder.recipe import BaseImageError
from leoflow_controlplane.setting import Settings

from leoflow_cli.outcome import InvalidInput

READ_TIMEOUT = "LEOFLOW_DAG_READ_TIMEOUT_SECONDS"


def environment_for(project: Project, home: Path, say: Callable[[str], None]) -> Environment:
    """Return the image's own environment, or this host's where no base image can be had here."""
    try:
        return prepare(project, home, say)
    except BaseImageError as error:
        say(f"no base image here, the DAG is read by this host's Python instead: {error}")
        from leoflow_builder.host import prepare_host

        try:
            return prepare_host(project, home, say)
        except BuildError:
            raise error from None


def read_options(settings: Settings) -> Options:
    """Return the builder's options, from the same settings that the control plane obeys."""
    text = os.environ.get(READ_TIMEOUT, "").strip()
    try:
        seconds = float(text) if text else DEFAULT_TIMEOUT_SECONDS
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InvalidInput(f"{READ_TIMEOUT} is '{text}': set it to a number of seconds, such as 30")
    return Options(
        read_timeout_seconds=seconds, inline_cap_seconds=settings.inline_http_max_seconds
    )
