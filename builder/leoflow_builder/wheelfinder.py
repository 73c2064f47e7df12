"""Chooses the program that finds wheels: uv, and pex where pip's settings are beyond uv.

What is chosen, and why, is said; nothing of pip's settings is passed over in silence.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from leoflow_builder.cachehold import hold
from leoflow_builder.lock import LockedPackage
from leoflow_builder.pextool import Pex
from leoflow_builder.pipconfig import Untranslatable, read_pip_settings, translate
from leoflow_builder.target import Target
from leoflow_builder.uvtool import Uv, is_rounded
from leoflow_builder.wheeltool import Unresolvable, Wanted, WheelTool

Say = Callable[[str], None]


def find_tool(home: Path, say: Say, environ: Mapping[str, str] = os.environ) -> WheelTool:
    """Return the program to find wheels with; its cache is under LEOFLOW_HOME."""
    cache = home.absolute() / "cache"
    # What they keep is one entry each, which is in use from now on.
    hold(cache / "uv")
    hold(cache / "pex")
    pex = Pex(cache / "pex")
    try:
        settings = translate(read_pip_settings(environ), environ)
    except Untranslatable as reason:
        say(f"pip itself looks for packages, which takes longer: {reason}")
        return pex
    return SecondOpinion(Uv(cache / "uv", settings), pex, say, settings.indexes)


class SecondOpinion:
    """Asks uv, and pex only where pip would go on after what stops uv."""

    def __init__(self, first: WheelTool, second: WheelTool, say: Say, indexes: int) -> None:
        self._first = first
        self._second = second
        self._say = say
        self._indexes = indexes

    def resolve(self, wanted: Wanted, target: Target) -> list[LockedPackage]:
        """Return the wheels that satisfy what is wanted; see `WheelTool.resolve`."""
        try:
            return self._first.resolve(wanted, target)
        except Unresolvable as error:
            reason = self._why_not_the_last_word(error, target)
            if reason is None:
                raise
            self._say(f"pip itself looks for packages, which takes longer: {reason}")
            return self._second.resolve(wanted, target)

    def unpack(self, packages: Sequence[LockedPackage], target: Target, folder: Path) -> None:
        """Unpack these wheels flat into a new folder; see `WheelTool.unpack`."""
        try:
            self._first.unpack(packages, target, folder)
        except Unresolvable as error:
            reason = self._why_not_the_last_word(error, target)
            if reason is None:
                raise
            self._say(f"pip itself looks for packages, which takes longer: {reason}")
            shutil.rmtree(folder, ignore_errors=True)
            self._second.unpack(packages, target, folder)

    def _why_not_the_last_word(self, error: Unresolvable, target: Target) -> str | None:
        kind = error.failure.kind
        # pip passes over an index that does not answer, as long as another one has the package.
        if kind == "network" and self._indexes > 1:
            return "one of several indexes does not answer"
        if kind in ("sdist_only", "no_version") and is_rounded(target):
            return f"there may be a wheel for glibc {target.glibc}, of which uv does not know"
        return None
