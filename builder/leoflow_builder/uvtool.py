"""Starts uv, which resolves and unpacks wheels with pip's own settings on this host.

The only module that knows uv's command line. It decides nothing about locks or layers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from leoflow_builder.bounded_process import run_bounded
from leoflow_builder.lock import LockedPackage
from leoflow_builder.pipconfig import UvSettings
from leoflow_builder.resolvefailure import ResolveFailure, other_file, with_offers
from leoflow_builder.scratch import scratch_folder
from leoflow_builder.target import MACHINES, Target, marker_environment
from leoflow_builder.uvfailure import explain
from leoflow_builder.wheelchoice import OfferedWheel, allowed, choose_wheel
from leoflow_builder.wheeltool import Unresolvable, Wanted, pinned_requirements

Run = Callable[[Sequence[str], Mapping[str, str]], "subprocess.CompletedProcess[str]"]
WHEELS_ONLY = ("--only-binary", ":all:")
# The glibc versions that uv has a word for; a wheel for a newer one is out of its sight.
_NEWEST_GLIBC = 40
_KNOWN_GLIBC = (17, 28, *range(31, _NEWEST_GLIBC + 1))
OFFERS_SHOWN = 3


def run_uv(
    arguments: Sequence[str], variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run the uv of leoflow's own environment to its end."""
    # UV_* variables and uv.toml of the user's are about other projects: pip's settings count.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    command = [find_uv(), "--no-config", "--no-progress", "--color", "never", *arguments]
    # In a group of its own, so that an interruption takes all of it along.
    done = run_bounded(command, None, {**kept, **variables}, Path.cwd(), None)
    output, errors = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(command, done.returncode, output, errors)


def find_uv() -> str:
    """Return the path of uv's program in leoflow's own environment."""
    import uv

    return str(uv.find_uv_bin())


class Uv:
    """Resolves and unpacks. ``root`` is uv's cache; ``run`` starts it."""

    def __init__(self, root: Path, settings: UvSettings, run: Run = run_uv) -> None:
        self._root = root
        self._settings = settings
        self._run = run

    def resolve(self, wanted: Wanted, target: Target) -> list[LockedPackage]:
        """Return the wheels that satisfy what is wanted; see `WheelTool.resolve`."""
        try:
            return self._resolve(wanted, target)
        except Unresolvable as first:
            for other in _other_ways(wanted):
                with suppress(Unresolvable):
                    return self._resolve(other, target)
            raise first from None

    def _resolve(self, wanted: Wanted, target: Target) -> list[LockedPackage]:
        with scratch_folder("leoflow-lock-") as work:
            found = work / "pylock.toml"
            if wanted.preferred:
                found.write_text(_as_pylock(wanted.preferred), encoding="utf-8")
            done = self._compile(wanted, target, found, work)
            if done.returncode != 0:
                raise Unresolvable(self._failure(done.stderr, wanted, target))
            return choose(tomllib.loads(found.read_text(encoding="utf-8")), target, wanted)

    def unpack(self, packages: Sequence[LockedPackage], target: Target, folder: Path) -> None:
        """Unpack these wheels flat into a new folder; see `WheelTool.unpack`."""
        with scratch_folder("leoflow-unpack-") as work:
            requirements = work / "requirements.txt"
            requirements.write_text(pinned_requirements(packages), encoding="utf-8")
            arguments = ["pip", "install", "--target", str(folder), "-r", str(requirements)]
            # Links would lead into uv's cache, and what is unpacked here is changed afterwards.
            arguments += ["--no-deps", "--require-hashes", "--link-mode", "copy"]
            done = self._call(arguments, target, constrained=False)
            if done.returncode != 0:
                raise Unresolvable(explain(done.stderr))

    def _compile(
        self, wanted: Wanted, target: Target, found: Path, work: Path
    ) -> subprocess.CompletedProcess[str]:
        requirements, constraints = work / "requirements.in", work / "constraints.txt"
        requirements.write_text("".join(f"{one}\n" for one in wanted.requirements), "utf-8")
        constraints.write_text("".join(f"{one}\n" for one in wanted.constraints), "utf-8")
        arguments = ["pip", "compile", str(requirements), "--constraints", str(constraints)]
        arguments += ["--format", "pylock.toml", "--output-file", str(found), "--quiet"]
        # An index of files has no hashes of its own to tell.
        return self._call([*arguments, "--no-header", "--generate-hashes"], target)

    def _call(
        self, arguments: list[str], target: Target, constrained: bool = True
    ) -> subprocess.CompletedProcess[str]:
        settings = self._settings
        given = [*settings.arguments, *(settings.constraints if constrained else ())]
        arguments = [*arguments, *WHEELS_ONLY, *given, "--cache-dir", str(self._root)]
        arguments += ["--python", sys.executable, "--python-version", target.python_version]
        arguments += ["--python-platform", platform_word(target)]
        return self._run(arguments, {**self._settings.variables, "UV_PYTHON_DOWNLOADS": "never"})

    def _failure(self, stderr: str, wanted: Wanted, target: Target) -> ResolveFailure:
        failure = explain(stderr, wanted.requirements)
        if failure.kind != "no_version" or failure.requirement is None:
            return failure
        return with_offers(failure, self._offers(failure.requirement, target))

    def _offers(self, requirement: str, target: Target) -> list[str]:
        """Ask for the newest versions of a package, one below the other."""
        from packaging.requirements import Requirement

        name, versions = Requirement(requirement).name, list[str]()
        while len(versions) < OFFERS_SHOWN:
            wish = f"{name}<{versions[-1]}" if versions else name
            with scratch_folder("leoflow-lock-") as work:
                found = work / "pylock.toml"
                done = self._compile(Wanted((wish,)), target, found, work)
                if done.returncode != 0:
                    return versions
                packages = tomllib.loads(found.read_text(encoding="utf-8"))["packages"]
            wanted = canonicalize_name(name)
            versions += [one["version"] for one in packages if one["name"] == wanted]
        return versions


def platform_word(target: Target) -> str:
    """Return uv's word for a target: the newest glibc that it knows and that the target has."""
    glibc = int(target.glibc.split(".")[1])
    known = [minor for minor in _KNOWN_GLIBC if minor <= glibc]
    machine = MACHINES[target.architecture]
    return f"{machine}-manylinux_2_{known[-1]}" if known else f"{machine}-manylinux2014"


def _other_ways(wanted: Wanted) -> Iterator[Wanted]:
    """Give what is wanted with preferred versions demanded instead, and then without them.

    Of several indexes uv looks a preferred version up in the first that has it, even if the wheel
    for the target is in another one.
    """
    if wanted.preferred:
        pinned = tuple(f"{name}=={version}" for name, version in wanted.preferred.items())
        yield replace(wanted, constraints=(*wanted.constraints, *pinned), preferred={})
        yield replace(wanted, preferred={})


def _as_pylock(versions: Mapping[str, str]) -> str:
    packages = [f"[[packages]]\nname = '{n}'\nversion = '{v}'\n" for n, v in versions.items()]
    return "\n".join(["lock-version = '1.0'\ncreated-by = 'leoflow'\n", *packages])


def is_rounded(target: Target) -> bool:
    """Tell whether uv takes a target for one with an older glibc than it has."""
    return not platform_word(target).endswith(f"_2_{target.glibc.split('.')[1]}")


def choose(document: Mapping[str, Any], target: Target, wanted: Wanted) -> list[LockedPackage]:
    """Return the best wheel of each package in a pylock.toml (PEP 751) that uv wrote."""
    environment = marker_environment(target)
    packages = [one for one in document.get("packages", ()) if _applies(one, environment)]
    return [_chosen(one, target, wanted.hashes) for one in packages]


def _applies(package: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    marker = package.get("marker")
    return marker is None or Marker(marker).evaluate(dict(environment))


def _chosen(
    package: Mapping[str, Any], target: Target, hashes: Mapping[str, frozenset[str]]
) -> LockedPackage:
    name, version = canonicalize_name(package["name"]), package["version"]
    wheels = [_offered(one) for one in package.get("wheels", ())]
    chosen = choose_wheel(allowed(wheels, hashes.get(name, ())), target)
    if chosen is None or chosen.sha256 is None:
        raise Unresolvable(other_file(f"{name}=={version}"))
    return LockedPackage(name, version, chosen.filename, chosen.sha256)


def _offered(wheel: Mapping[str, Any]) -> OfferedWheel:
    place = wheel.get("url") or wheel.get("path") or ""
    filename = wheel.get("name") or unquote(urlsplit(place).path.rpartition("/")[2])
    return OfferedWheel(filename, wheel.get("hashes", {}).get("sha256"))
