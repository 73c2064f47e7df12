"""The parts of an image, each with what any bill of materials wants to know of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from leoflow_builder.supply.contents import (
    ImageContents,
    base_purl,
    deb_purl,
    debian_release,
    leoflow_purl,
    wheel_purl,
)

Kind = Literal["library", "operating-system", "container", "platform"]


@dataclass(frozen=True)
class Part:
    """One part. ``sha256`` is that of the file that was installed, ``filename`` a wheel's."""

    kind: Kind
    name: str
    version: str | None
    purl: str | None = None
    sha256: str | None = None
    filename: str | None = None

    @property
    def reference(self) -> str:
        """A name that no other part of the image has."""
        return self.purl or f"{self.kind}:{self.name}@{self.version}"


def parts_of(contents: ImageContents) -> tuple[Part, ...]:
    """Return everything in an image that has a name, sorted; the order of the contents is lost."""
    return tuple(sorted(set(_parts(contents)), key=lambda part: part.reference))


def _parts(contents: ImageContents) -> Iterator[Part]:
    version = contents.leoflow_version
    yield Part("library", "leoflow", version, leoflow_purl(version))
    for wheel in contents.wheels:
        purl = wheel_purl(wheel)
        yield Part("library", wheel.name, wheel.version, purl, wheel.sha256, wheel.filename)
    for deb in contents.debs:
        purl = deb_purl(deb, contents.suite)
        yield Part("library", deb.name, deb.version, purl, deb.sha256)
    if contents.suite is not None:
        yield Part("operating-system", "debian", debian_release(contents.suite))
    if contents.own_base is not None:
        base = contents.own_base
        yield Part("container", base.reference, base.digest, base_purl(base))
        yield Part("platform", "cpython", contents.python_version)
