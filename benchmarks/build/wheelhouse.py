"""The wheels of the compared project: which versions there are, and the folder that holds them.

They are downloaded once, with the host's own index settings; nothing measured reaches further than
this machine.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import parse_wheel_filename

from benchmarks.build.process import Shell

PANDAS = ("2.2.3", "2.3.3")
REQUESTS = ("2.32.4", "2.32.5")
# Small wheels without dependencies. Which of them a project has makes its lock a new one.
FILLERS = {
    "colorama": "0.4.6",
    "iniconfig": "2.0.0",
    "pluggy": "1.5.0",
    "six": "1.17.0",
    "tabulate": "0.9.0",
    "toml": "0.10.2",
    "wcwidth": "0.2.13",
}
TOOLS = ("pip", "uv")
NEWEST_GLIBC_MINOR = 36


@dataclass(frozen=True)
class Variant:
    """The direct dependencies of the project, all pinned; ``fillers`` are names of FILLERS."""

    pandas: str = PANDAS[0]
    requests: str = REQUESTS[0]
    fillers: tuple[str, ...] = ()

    @property
    def pins(self) -> Mapping[str, str]:
        """Versions by normalised name."""
        chosen = {name: FILLERS[name] for name in self.fillers}
        return {"pandas": self.pandas, "requests": self.requests, **chosen}

    @property
    def requirements(self) -> list[str]:
        """The dependencies as requirements."""
        return [f"{name}=={version}" for name, version in self.pins.items()]


def warming_variants() -> list[Variant]:
    """Return variants that have every wheel between them; no measured lock has all fillers."""
    return [Variant(*both, tuple(FILLERS)) for both in zip(PANDAS, REQUESTS, strict=True)]


def download(folder: Path, shell: Shell) -> None:
    """Fill a folder with the wheels of every variant; what is there is not asked for again."""
    done = folder / ".complete"
    wanted = repr((PANDAS, REQUESTS, FILLERS, TOOLS))
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    _pip_download(folder, shell, [*Variant().requirements], deps=True)
    singles = [f"pandas=={one}" for one in PANDAS] + [f"requests=={one}" for one in REQUESTS]
    singles += [f"{name}=={version}" for name, version in FILLERS.items()]
    for single in [*singles, *TOOLS]:
        _pip_download(folder, shell, [single], deps=False)
    done.write_text(wanted, encoding="utf-8")


def _pip_download(folder: Path, shell: Shell, wanted: list[str], deps: bool) -> None:
    command = [sys.executable, "-m", "pip", "download", "--only-binary", ":all:"]
    command += ["--python-version", "3.11", "--dest", str(folder)]
    for tag in _platforms():
        command += ["--platform", tag]
    shell.run([*command, *([] if deps else ["--no-deps"]), *wanted])


def _platforms() -> Iterator[str]:
    machine = platform.machine()
    yield f"manylinux2014_{machine}"
    for minor in range(5, NEWEST_GLIBC_MINOR + 1):
        yield f"manylinux_2_{minor}_{machine}"


def requirements_lock(variant: Variant, wheels: Path, salt: str) -> str:
    """Return a requirements file with hashes: the same wheels that `leoflow lock` chooses.

    What a variant does not pin and needs is in the folder in one version. ``salt`` is a comment,
    which keeps an earlier run's layers from being found.
    """
    pins = variant.pins
    lines = [f"# {salt}\n"]
    for wheel in sorted(wheels.glob("*.whl")):
        name, version, _, _ = parse_wheel_filename(wheel.name)
        if name in TOOLS or (name in FILLERS and name not in pins):
            continue
        if pins.get(name, str(version)) == str(version):
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            lines.append(f"{name}=={version} --hash=sha256:{digest}\n")
    return "".join(lines)
