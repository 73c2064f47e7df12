"""Reads the recipes of base images and system layers into values. It builds nothing."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from leoflow_builder.failure import BuildError
from leoflow_builder.target import MACHINES


class BaseImageError(BuildError):
    """A base image cannot be made here; the text says why and what to do."""


class RecipeText(NamedTuple):
    """A recipe as it is written, which is enough to tell it from another one."""

    name: str
    architecture: str
    text: str


@dataclass(frozen=True)
class Recipe:
    """What a base image consists of. Paths are inside the image, without a leading slash.

    ``architecture`` is OCI's word, which is Debian's too.
    """

    text: str
    architecture: str
    python: str
    suite: str
    packages: tuple[str, ...]
    without: tuple[str, ...]
    keep: tuple[str, ...]
    drop: tuple[str, ...]
    without_source: tuple[str, ...]
    certificates: str
    certificate_bundle: str
    absent_modules: tuple[str, ...]
    links: Mapping[str, str] = field(default_factory=dict)
    directories: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def triplet(self) -> str:
        """Return the name of the folder of libraries, such as "x86_64-linux-gnu"."""
        return f"{MACHINES[self.architecture]}-linux-gnu"

    @property
    def name(self) -> str:
        return _name(self.python, self.architecture)

    def wants(self, path: str) -> bool:
        """Tell whether a path that a package brings stays in the image."""
        return matches(path, self.keep, self.triplet) and not matches(path, self.drop, self.triplet)

    def wants_source(self, path: str) -> bool:
        """Tell whether a module's source stays beside its bytecode."""
        return not matches(path, self.without_source, self.triplet)


@dataclass(frozen=True)
class SystemRules:
    """What of a declared Debian package gets into an image, and what the shell consists of.

    ``shell_packages`` are all that the ``shell_roots`` need and a base lacks; ``unneeded``
    packages serve maintainer scripts only, and come into an image only by their own names, or
    as ``companions`` of a package that does not work without them.
    """

    text: str
    drop: tuple[str, ...]
    unneeded: tuple[str, ...]
    companions: Mapping[str, str]
    shell_roots: tuple[str, ...]
    shell_packages: tuple[str, ...]
    shell_keep: tuple[str, ...]
    shell_drop: tuple[str, ...]
    shell_links: Mapping[str, str]

    def wants(self, path: str) -> bool:
        """Tell whether a path of a declared package gets into an image."""
        return not matches(path, self.drop, "")

    def wants_for_shell(self, path: str, triplet: str) -> bool:
        """Tell whether a path of the shell's packages gets into an image with a shell."""
        kept = matches(path, self.shell_keep, triplet)
        return kept and not matches(path, self.shell_drop, triplet)


def matches(path: str, patterns: tuple[str, ...], triplet: str) -> bool:
    """Tell whether a path matches a pattern, in which * also matches a slash."""
    return any(fnmatchcase(path, one.replace("{triplet}", triplet)) for one in patterns)


def host_architecture() -> str:
    """Return this machine's architecture in OCI's word; BaseImageError if it is another one."""
    words = {machine: word for word, machine in MACHINES.items()}
    machine = platform.machine()
    if machine not in words:
        raise BaseImageError(
            f"base images are for x86_64 and aarch64, and this machine is '{machine}'. "
            "Name a ready image as base_image instead"
        )
    return words[machine]


def known_versions() -> list[str]:
    """List the Python versions that have a recipe."""
    names = (file.name for file in _folder().iterdir())
    found = [
        name.removeprefix("python").removesuffix(".toml")
        for name in names
        if name.startswith("python") and name.endswith(".toml")
    ]
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


def load_recipe(python_version: str, architecture: str) -> Recipe:
    """Return the recipe for a Python minor version, e.g. "3.11", and e.g. "amd64"."""
    return parse_recipe(read_recipe(python_version, architecture).text, architecture)


def read_recipe(python_version: str, architecture: str) -> RecipeText:
    """Return the same as it is written; BaseImageError if there is none."""
    if python_version not in known_versions():
        known = ", ".join(known_versions())
        raise BaseImageError(
            f"there is no base image for Python '{python_version}'. Choose one of: {known}"
        )
    if architecture not in MACHINES:
        raise BaseImageError(
            f"there is no base image for '{architecture}'. Choose one of: {', '.join(MACHINES)}"
        )
    text = _text(f"python{python_version}.toml")
    return RecipeText(_name(python_version, architecture), architecture, text)


def _name(python_version: str, architecture: str) -> str:
    return f"python{python_version}-{architecture}"


def parse_recipe(text: str, architecture: str) -> Recipe:
    """Return the recipe that a TOML text describes."""
    import tomllib

    table = tomllib.loads(text)
    lists = ("packages", "without", "keep", "drop", "without_source", "absent_modules")
    return Recipe(
        text=text,
        architecture=architecture,
        python=table["python"],
        suite=table["suite"],
        **{name: tuple(table[name]) for name in lists},
        certificates=table["certificates"],
        certificate_bundle=table["certificate_bundle"],
        links=table["links"],
        directories=table["directories"],
        owners=table["owners"],
        files={path: content.lstrip("\n") for path, content in table["files"].items()},
    )


@cache
def system_rules() -> SystemRules:
    """Return the rules for system layers, which are the same for every base."""
    return parse_system_rules(system_text())


def system_text() -> str:
    """Return the rules for system layers as they are written."""
    return _text("system.toml")


def parse_system_rules(text: str) -> SystemRules:
    """Return the rules that a TOML text describes."""
    import tomllib

    table = tomllib.loads(text)
    shell = table["shell"]
    return SystemRules(
        text=text,
        drop=tuple(table["drop"]),
        unneeded=tuple(table["unneeded"]),
        companions=table["companions"],
        shell_roots=tuple(shell["roots"]),
        shell_packages=tuple(shell["packages"]),
        shell_keep=tuple(shell["keep"]),
        shell_drop=tuple(shell["drop"]),
        shell_links=shell["links"],
    )


def _text(name: str) -> str:
    return (_folder() / name).read_text(encoding="utf-8")


def _folder() -> Path:
    spec = find_spec("leoflow_base_images")
    if spec is None or not spec.submodule_search_locations:
        raise BaseImageError("leoflow's own recipes are missing. Install leoflow again")
    return Path(spec.submodule_search_locations[0])
