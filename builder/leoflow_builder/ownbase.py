"""An image of the user's own as the base: what Python is in it, and that Python run in a container.

It changes nothing in the image. Containers get no network.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from uuid import uuid4

from leoflow_builder.engine import Engine
from leoflow_builder.failure import BuildError, EngineError
from leoflow_builder.installation import Installation
from leoflow_builder.plan import Ground
from leoflow_builder.scratch import scratch_folder
from leoflow_builder.target import MACHINES, Target

PROBE_SECONDS = 120.0
# The engine's own exit codes for a program that cannot be started.
NOT_STARTED = (126, 127)
PROBE = """
import json, os, platform, site, sys
libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else None
print(json.dumps({
    "python": os.path.realpath(sys.executable), "python_version": platform.python_version(),
    "implementation": platform.python_implementation(), "machine": platform.machine(),
    "libc": libc, "site_packages": site.getsitepackages()[0],
    "bash": any(os.access(p + "/bash", os.X_OK) for p in ("/bin", "/usr/bin", "/usr/local/bin")),
}))
"""


class OwnBaseError(BuildError):
    """The image of the user's own cannot be a base; the text says why and what to do."""


@dataclass(frozen=True)
class OwnBase:
    """An image of the user's own that was looked into. ``image_id`` says which one exactly."""

    reference: str
    image_id: str
    target: Target
    ground: Ground
    has_bash: bool


class ContainerInterpreter:
    """The Python of an image, run in a container that sees some folders of the host.

    ``folders`` are mounted at their own paths: what runs can read and write them.
    """

    def __init__(
        self, image: str, python: str, python_minor: str, folders: Sequence[Path] = ()
    ) -> None:
        self._image = image
        self._python = python
        self._minor = python_minor
        self._folders = [*folders, Path(tempfile.gettempdir())]

    def run(
        self,
        args: Sequence[str],
        *,
        path: Sequence[Path] = (),
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout_seconds: float,
    ) -> CompletedProcess[bytes]:
        """Run `python ARGS`; see `Interpreter.run`."""
        name = f"leoflow-python-{uuid4().hex[:12]}"
        with scratch_folder("leoflow-python-") as home:
            variables = {**_environment(str(home)), **(env or {})}
            if path:
                _write_user_site(home, self._minor, path)
            options = self._options(name, variables, cwd or home)
            command = ["docker", "run", *options, self._image, *args]
            try:
                return subprocess.run(
                    command, input=stdin or b"", capture_output=True, timeout=timeout_seconds
                )
            except FileNotFoundError:
                raise EngineError("the `docker` command is not on PATH. Install it") from None
            except BaseException:
                _remove(name)
                raise

    def _options(self, name: str, variables: Mapping[str, str], cwd: Path) -> list[str]:
        options = ["--rm", "--interactive", "--name", name, "--network", "none", "--pull", "never"]
        options += ["--user", f"{os.getuid()}:{os.getgid()}", "--workdir", str(cwd)]
        for folder in dict.fromkeys(one.resolve() for one in self._folders):
            options += ["--mount", f"type=bind,source={folder},target={folder}"]
        for key, value in variables.items():
            options += ["--env", f"{key}={value}"]
        return [*options, "--entrypoint", self._python]


def look_into(reference: str, python_minor: str, engine: Engine) -> OwnBase:
    """Return what is in an image; OwnBaseError if it cannot run a project for a Python version."""
    image_id = engine.image_id(reference)
    if image_id is None:
        raise OwnBaseError(
            f"base_image '{reference}' is not in the engine. Get it with `docker pull {reference}`"
        )
    facts = _probe(reference, python_minor)
    problem = refusal(reference, python_minor, facts)
    if problem:
        raise OwnBaseError(problem)
    words = {machine: word for word, machine in MACHINES.items()}
    glibc = facts["libc"].split()[1]
    target = Target(facts["python_version"], glibc, words[facts["machine"]])
    place = Installation(facts["python"], facts["site_packages"])
    pinned = f"leoflow/own-base:{image_id.rpartition(':')[2][:24]}"
    engine.tag(image_id, pinned)
    return OwnBase(
        reference, image_id, target, Ground(target.platform, place, pinned), facts["bash"]
    )


def refusal(reference: str, python_minor: str, facts: Mapping[str, Any]) -> str | None:
    """Say why an image cannot be a base, judging by what the probe found, or None."""
    found = f"{facts['implementation']} {facts['python_version']}"
    if facts["implementation"] != "CPython" or not found.startswith(f"CPython {python_minor}."):
        return (
            f"base_image '{reference}' has {found}, and the project wants Python {python_minor}. "
            "Set python_version, or choose another image"
        )
    if not (facts["libc"] or "").startswith("glibc "):
        return (
            f"base_image '{reference}' has no glibc (Alpine has musl), and the wheels of most "
            "packages need it. Choose an image of Debian, Ubuntu or Fedora"
        )
    if facts["machine"] not in MACHINES.values():
        known = " and ".join(sorted(MACHINES.values()))
        return f"base_image '{reference}' is for '{facts['machine']}'. leoflow knows {known}"
    return None


def _probe(reference: str, python_minor: str) -> dict[str, Any]:
    said = ""
    for python in (f"python{python_minor}", "python3", "python"):
        interpreter = ContainerInterpreter(reference, python, python_minor)
        done = interpreter.run(["-I", "-c", PROBE], timeout_seconds=PROBE_SECONDS)
        if done.returncode == 0:
            facts: dict[str, Any] = json.loads(done.stdout)
            return facts
        said = done.stderr.decode(errors="replace").strip()
        if done.returncode not in NOT_STARTED:
            break
    raise OwnBaseError(
        f"base_image '{reference}' has no Python on its PATH that starts. "
        f"Choose an image with CPython {python_minor}. The engine says:\n{said[-600:]}"
    )


def _environment(home: str) -> dict[str, str]:
    return {
        "HOME": home,
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUSERBASE": home,
        "TZ": "UTC",
    }


def _write_user_site(home: Path, minor: str, path: Sequence[Path]) -> None:
    site = home / "lib" / f"python{minor}" / "site-packages"
    site.mkdir(parents=True)
    lines = [f"import site; site.addsitedir({str(entry.absolute())!r})\n" for entry in path]
    (site / "leoflow.pth").write_text("".join(lines), encoding="utf-8")


def _remove(name: str) -> None:
    """Remove a container that outlived its command, as after a time-out."""
    subprocess.run(["docker", "rm", "--force", name], capture_output=True)
