"""What each error means to the person at the terminal: its text and the exit code.

Loaded only once something has failed.
"""

from __future__ import annotations

import traceback

from leoflow_builder.failure import BuildError, WishRefused
from leoflow_builder.problem import ProjectError, count
from leoflow_builder.recipe import BaseImageError
from leoflow_controlplane.error import ControlPlaneError, RunRefused, SettingInvalid

from leoflow_cli.outcome import INVALID_INPUT, MACHINERY_FAILED, InvalidInput, Unusable

_ON_PURPOSE = (BuildError, BaseImageError, ControlPlaneError, Unusable)


def explain(error: Exception) -> tuple[str, int]:
    """Return the text for ``error`` and the exit code; unforeseen ones keep their traceback."""
    if isinstance(error, ProjectError):
        lines = [str(problem) for problem in error.problems]
        return "\n".join([*lines, count(len(lines), "problem")]), INVALID_INPUT
    if isinstance(error, (InvalidInput, RunRefused, SettingInvalid, WishRefused)):
        return f"error: {error}", INVALID_INPUT
    if isinstance(error, _ON_PURPOSE):
        return f"error: {error}", MACHINERY_FAILED
    if isinstance(error, OSError):
        return f"error: {_describe(error)}", MACHINERY_FAILED
    trace = "".join(traceback.format_exception(error))
    return (
        f"{trace}error: this is a bug in leoflow, please report the lines above",
        MACHINERY_FAILED,
    )


def _describe(error: OSError) -> str:
    if error.filename is None:
        return error.strerror or str(error)
    return f"'{error.filename}': {error.strerror}"
