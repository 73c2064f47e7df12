"""Starts pex, which resolves and unpacks wheels with the host's own index settings.

The only module that knows pex's command line. It decides nothing about locks or layers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from leoflow_builder.bounded_process import run_bounded
from leoflow_builder.lock import Lock, LockedPackage, pinned_requirements
from leoflow_builder.resolvefailure import ResolveFailure, explain
from leoflow_builder.scratch import scratch_folder
from leoflow_builder.target import Target, complete_platform

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]
# pip's older resolver, pex's default here, installs contradictions without a word.
RESOLVER = ("--resolver-version", "pip-2020-resolver")
WHEELS_ONLY = ("--wheel", "--no-build")


class Unresolvable(Exception):
    """The wheels could not be had; ``failure`` says why."""

    def __init__(self, failure: ResolveFailure) -> None:
        self.failure = failure
        super().__init__(failure.message)


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

    def resolve(self, requirements: Iterable[str], target: Target) -> list[LockedPackage]:
        """Return the wheels that satisfy the requirements on a target; Unresolvable if none do."""
        with scratch_folder("leoflow-lock-") as work:
            lines = "".join(f"{requirement}\n" for requirement in requirements)
            found = work / "found.json"
            arguments = ["lock", "create", "--style", "strict", "-o", str(found)]
            self._call(arguments, lines, target, work)
            return locked_packages(json.loads(found.read_text(encoding="utf-8")))

    def unpack(self, lock: Lock, target: Target, folder: Path) -> None:
        """Unpack the locked wheels flat into a new folder, as copies that may be changed.

        Unresolvable if a wheel is not to be had any more, or has another hash.
        """
        with scratch_folder("leoflow-unpack-") as work:
            arguments = ["venv", "create", "--layout", "flat", "-d", str(folder)]
            arguments += ["--site-packages-copies", "--no-transitive"]
            self._call(arguments, pinned_requirements(lock), target, work)

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
