"""Reads the recipe of a base image into one value. It looks at no machine and builds nothing."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import resources
from typing import Any

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class BaseImageError(Exception):
    """A base image cannot be made here; the text says why and what to do."""


@dataclass(frozen=True)
class Recipe:
    """What a base image consists of. Paths are inside the image, without a leading slash."""

    text: str
    variant: str
    machine: str
    python: str
    suite: str
    packages: tuple[str, ...]
    keep: tuple[str, ...]
    drop: tuple[str, ...]
    certificates: str
    certificate_bundle: str
    absent_modules: tuple[str, ...]
    variant_keep: tuple[str, ...] = ()
    programs_of: tuple[str, ...] = ()
    drop_programs: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    directories: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def triplet(self) -> str:
        return f"{self.machine}-linux-gnu"

    @property
    def name(self) -> str:
        return f"python{self.python}-{self.variant}"

    def wants(self, path: str, package: str | None) -> bool:
        """Tell whether a path that a package brings stays in the image."""
        if package in self.programs_of and path.startswith("usr/bin/"):
            return path.removeprefix("usr/bin/") not in self.drop_programs
        if self._any(self.variant_keep, path):
            return True
        return self._any(self.keep, path) and not self._any(self.drop, path)

    def _any(self, patterns: tuple[str, ...], path: str) -> bool:
        return any(fnmatchcase(path, one.replace("{triplet}", self.triplet)) for one in patterns)


def known_versions() -> list[str]:
    """List the Python versions that have a recipe."""
    names = (file.name for file in resources.files("leoflow_base_images").iterdir())
    found = [n.removeprefix("python").removesuffix(".toml") for n in names if n.endswith(".toml")]
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


def load_recipe(python_version: str, variant: str, machine: str) -> Recipe:
    """Return the recipe for a Python minor version, e.g. "3.11", for `plain` or `bash`."""
    if python_version not in known_versions():
        known = ", ".join(known_versions())
        raise BaseImageError(
            f"there is no base image for Python '{python_version}'. Choose one of: {known}"
        )
    if machine not in ARCHITECTURES:
        raise BaseImageError(
            f"base images are made on x86_64 and aarch64, and this machine is '{machine}'. "
            "Name a ready image as base_image instead"
        )
    file = resources.files("leoflow_base_images") / f"python{python_version}.toml"
    return parse_recipe(file.read_text(encoding="utf-8"), variant, machine)


def parse_recipe(text: str, variant: str, machine: str) -> Recipe:
    """Return the recipe that a TOML text describes."""
    table = tomllib.loads(text)
    variants = table.pop("variants")
    if variant not in variants:
        known = ", ".join(sorted(variants))
        raise BaseImageError(f"a base image has no variant '{variant}'. Choose one of: {known}")
    return _recipe(text, table, variants[variant], variant, machine)


def _recipe(
    text: str, table: dict[str, Any], extra: dict[str, Any], variant: str, machine: str
) -> Recipe:
    return Recipe(
        text=text,
        variant=variant,
        machine=machine,
        python=table["python"],
        suite=table["suite"],
        packages=(*table["packages"], *extra.get("packages", ())),
        keep=tuple(table["keep"]),
        drop=tuple(table["drop"]),
        certificates=table["certificates"],
        certificate_bundle=table["certificate_bundle"],
        absent_modules=tuple(table["absent_modules"]),
        variant_keep=tuple(extra.get("keep", ())),
        programs_of=tuple(extra.get("programs_of", ())),
        drop_programs=tuple(extra.get("drop_programs", ())),
        links={**table["links"], **extra.get("links", {})},
        directories=table["directories"],
        owners=table["owners"],
        files={path: content.lstrip("\n") for path, content in table["files"].items()},
    )
