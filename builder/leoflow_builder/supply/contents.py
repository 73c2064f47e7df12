"""What is in an image, as SBOM and provenance need it, and the package URLs of it. Pure.

https://github.com/package-url/purl-spec
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from leoflow_builder.debpackage import DebPackage
from leoflow_builder.lock import LockedPackage

# Scanners look vulnerabilities up by the number of the release, and a recipe has its code name.
_RELEASES = {"bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14"}


@dataclass(frozen=True)
class OwnBaseImage:
    """An image of the user's own below leoflow's layers. ``digest`` is its manifest's or, in an
    engine that keeps none, the image id."""

    reference: str
    digest: str


@dataclass(frozen=True)
class ImageContents:
    """Everything in an image that has a name and a version.

    ``title`` is the DAG's id, or what an image of leoflow itself is called; ``spec_digest`` is that
    of the DagSpec, "sha256:…", None where there is no DAG. ``leoflow_version`` is None where it is
    not known, ``python_version`` as exact as it is; ``suite`` is Debian's ("bookworm"), None where
    there are no packages of Debian's.
    """

    title: str
    spec_digest: str | None
    platform: str
    leoflow_version: str | None
    python_version: str
    wheels: tuple[LockedPackage, ...] = ()
    debs: tuple[DebPackage, ...] = ()
    suite: str | None = None
    own_base: OwnBaseImage | None = None

    @property
    def version(self) -> str | None:
        """What tells the image from others of its title."""
        return self.leoflow_version if self.spec_digest is None else self.spec_digest


def wheel_purl(wheel: LockedPackage) -> str:
    """Return "pkg:pypi/NAME@VERSION"; the name of a locked wheel is normalised already."""
    return f"pkg:pypi/{wheel.name}@{_escaped(wheel.version)}"


def deb_purl(package: DebPackage, suite: str | None) -> str:
    """Return "pkg:deb/debian/NAME@VERSION?arch=…&distro=debian-12"."""
    name, version = _escaped(package.name), _escaped(package.version)
    distro = f"&distro=debian-{debian_release(suite)}" if suite else ""
    return f"pkg:deb/debian/{name}@{version}?arch={package.architecture}{distro}"


def leoflow_purl(version: str | None) -> str:
    """Return the package URL of leoflow itself, whose agent is in every image."""
    return "pkg:pypi/leoflow" + (f"@{_escaped(version)}" if version else "")


def base_purl(base: OwnBaseImage) -> str:
    """Return "pkg:oci/NAME@DIGEST?repository_url=…"."""
    repository = base.reference.partition("@")[0]
    folder, slash, last = repository.rpartition("/")
    name, _, tag = last.partition(":")
    tagged = f"&tag={_escaped(tag)}" if tag else ""
    place = quote(f"{folder}{slash}{name}", safe="/:")
    return f"pkg:oci/{_escaped(name.lower())}@{base.digest}?repository_url={place}{tagged}"


def debian_release(suite: str) -> str:
    """Return the number of a release, or its name where leoflow knows no number."""
    return _RELEASES.get(suite, suite)


def _escaped(text: str) -> str:
    # The specification wants a colon left as it is.
    return quote(text, safe=":.-_~")
