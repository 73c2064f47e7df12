"""Starts pex, which resolves and unpacks wheels with the host's own index settings.

The only module that knows pex's command line. It decides nothing about locks or layers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from leoflow_builder.bounded_process import run_bounded
from leoflow_builder.lock import LockedPackage
from leoflow_builder.requirement import without_contradicted
from leoflow_builder.resolvefailure import explain, other_file
from leoflow_builder.scratch import scratch_folder
from leoflow_builder.target import Target, complete_platform
from leoflow_builder.wheeltool import Unresolvable, Wanted, pinned_requirements

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]
# pip's older resolver, pex's default here, installs contradictions without a word.
RESOLVER = ("--resolver-version", "pip-2020-resolver")
WHEELS_ONLY = ("--wheel", "--no-build")
_UNSATISFIABLE = ("conflict", "no_version", "sdist_only")


def run_pex(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run the pex of leoflow's own environment to its end."""
    # PEX_* variables of the user's are about programs made with pex, not about this call.
    environment = {name: v for name, v in os.environ.items() if not name.startswith("PEX_")}
    command = [sys.executable, "-m", "pex.cli", *arguments]
    # In a group of its own, so that an interruption takes the pip that it starts along.
    done = run_bounded(command, None, environment, Path.cwd(), None)
    output, errors = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(command, done.returncode, output, errors)


class Pex:
    """Resolves and unpacks. ``root`` is pex's cache; ``run`` starts it."""

    def __init__(self, root: Path, run: Run = run_pex) -> None:
        self._root = root
        self._run = run

    def resolve(self, wanted: Wanted, target: Target) -> list[LockedPackage]:
        """Return the wheels that satisfy what is wanted; see `WheelTool.resolve`."""
        kept = without_contradicted(wanted.preferred, wanted.requirements)
        try:
            packages = self._lock(wanted, kept, target)
        except Unresolvable as error:
            # pex knows no wishes, only demands: what cannot all be kept is not kept at all.
            if not kept or error.failure.kind not in _UNSATISFIABLE:
                raise
            packages = self._lock(wanted, {}, target)
        for package in packages:
            hashes = wanted.hashes.get(package.name)
            if hashes and package.sha256 not in hashes:
                raise Unresolvable(other_file(f"{package.name}=={package.version}"))
        return packages

    def _lock(self, wanted: Wanted, kept: Mapping[str, str], target: Target) -> list[LockedPackage]:
        with scratch_folder("leoflow-lock-") as work:
            constraints = work / "constraints.txt"
            pins = [f"{name}=={version}" for name, version in kept.items()]
            lines = "".join(f"{one}\n" for one in [*wanted.constraints, *pins])
            constraints.write_text(lines, encoding="utf-8")
            found = work / "found.json"
            arguments = ["lock", "create", "--style", "strict", "-o", str(found)]
            arguments += ["--constraints", str(constraints)] if lines else []
            wishes = "".join(f"{requirement}\n" for requirement in wanted.requirements)
            self._call(arguments, wishes, target, work)
            return locked_packages(json.loads(found.read_text(encoding="utf-8")))

    def unpack(self, packages: Sequence[LockedPackage], target: Target, folder: Path) -> None:
        """Unpack these wheels flat into a new folder; see `WheelTool.unpack`."""
        with scratch_folder("leoflow-unpack-") as work:
            arguments = ["venv", "create", "--layout", "flat", "-d", str(folder)]
            arguments += ["--site-packages-copies", "--no-transitive", "--collisions-ok"]
            self._call(arguments, pinned_requirements(packages), target, work)

    def _call(self, arguments: list[str], lines: str, target: Target, work: Path) -> None:
        requirements, platform, log = (
            work / "requirements.txt",
            work / "platform.json",
            work / "log",
        )
        requirements.write_text(lines, encoding="utf-8")
        platform.write_text(json.dumps(complete_platform(target)), encoding="utf-8")
        arguments = [*arguments, *RESOLVER, *WHEELS_ONLY, "--use-pip-config", "--pip-log", str(log)]
        arguments += [*certificate_arguments(os.environ), "--pex-root", str(self._root)]
        arguments += [
            "--tmpdir",
            str(work),
            "--complete-platform",
            str(platform),
            "-r",
            str(requirements),
        ]
        done = self._run(arguments)
        if done.returncode != 0:
            said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            raise Unresolvable(explain(done.stderr, said))


def certificate_arguments(environment: Mapping[str, str]) -> list[str]:
    """Return pex's options for the certificates that only OpenSSL's variable names.

    pip reads PIP_CERT, REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE by itself, but not this one.
    """
    if any(environment.get(name) for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")):
        return []
    bundle = environment.get("SSL_CERT_FILE")
    return ["--cert", bundle] if bundle else []


def locked_packages(document: Mapping[str, Any]) -> list[LockedPackage]:
    """Return the wheels in a lock of pex's."""
    resolves = document["locked_resolves"]
    return [_package(one) for resolve in resolves for one in resolve["locked_requirements"]]


def _package(found: Mapping[str, Any]) -> LockedPackage:
    artifact = found["artifacts"][0]
    if artifact["algorithm"] != "sha256":
        raise ValueError(f"pex gives a hash by '{artifact['algorithm']}' instead of sha256")
    return LockedPackage(
        name=canonicalize_name(found["project_name"]),
        version=found["version"],
        filename=unquote(urlsplit(artifact["url"]).path.rpartition("/")[2]),
        sha256=artifact["hash"],
    )
