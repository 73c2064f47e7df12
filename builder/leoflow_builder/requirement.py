"""Requirements (PEP 508) in one spelling, so that another way of writing is no change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def normalise(requirements: Iterable[str]) -> tuple[str, ...]:
    """Return the requirements in one spelling, sorted, each once."""
    return tuple(sorted({_spelling(Requirement(text)) for text in requirements}))


def name_of(requirement: str) -> str:
    """Return the normalised name of what is required."""
    return canonicalize_name(Requirement(requirement).name)


def without_contradicted(
    versions: Mapping[str, str], requirements: Iterable[str]
) -> dict[str, str]:
    """Return the versions by name without those that a requirement does not allow."""
    wanted = [Requirement(text) for text in requirements]
    ruled_out = {
        canonicalize_name(one.name)
        for one in wanted
        if (version := versions.get(canonicalize_name(one.name))) is not None
        and not one.specifier.contains(version, prereleases=True)
    }
    return {name: version for name, version in versions.items() if name not in ruled_out}


def _spelling(requirement: Requirement) -> str:
    requirement.name = canonicalize_name(requirement.name)
    return str(requirement)
