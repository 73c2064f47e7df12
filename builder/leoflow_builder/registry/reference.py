"""Names of images, read as Docker reads them. Pure.

The grammar is that of github.com/distribution/reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from leoflow_builder.registry.digest import is_digest
from leoflow_builder.registry.failure import BadReference

DOCKER_HUB = "docker.io"
_HUB_NAMES = {"docker.io", "index.docker.io", "registry-1.docker.io"}
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LONGEST_REPOSITORY = 255


@dataclass(frozen=True)
class Reference:
    """An image in a registry. It has a tag, a digest, or both; a digest has the last word.

    ``host`` may carry a port. Docker Hub is "docker.io", its own images are in "library/".
    """

    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.host}/{self.repository}{tag}{digest}"

    @property
    def target(self) -> str:
        """What a registry is asked for: the digest, else the tag."""
        wanted = self.digest or self.tag
        if wanted is None:
            raise BadReference(f"'{self}' has neither a tag nor a digest. Add one: '{self}:latest'")
        return wanted

    def at(self, digest: str) -> Reference:
        """Return the same repository's image with that digest, without a tag."""
        return replace(self, tag=None, digest=digest)


def parse_reference(text: str) -> Reference:
    """Read a name such as "python", "team/dag:1" or "host:5000/team/dag:1@sha256:…".

    Without tag and digest the tag is "latest"; BadReference says which part is wrong.
    """
    name, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise BadReference(
            f"'{text}' names no image: '{digest}' is no digest. Write sha256: and 64 hexadecimal "
            "digits in lower case"
        )
    name, tag = _cut_tag(name)
    host, repository = _cut_host(name)
    _check(text, host, repository, tag)
    if tag is None and not digest:
        tag = "latest"
    return Reference(host, repository, tag, digest or None)


def _cut_tag(name: str) -> tuple[str, str | None]:
    # A colon before the last slash begins a port.
    folder, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    return f"{folder}{slash}{last}", tag if colon else None


def _cut_host(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_host = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if not slash or not is_host:
        return DOCKER_HUB, name if slash else f"library/{name}"
    if first in _HUB_NAMES:
        return DOCKER_HUB, rest if "/" in rest else f"library/{rest}"
    return first, rest


def _check(text: str, host: str, repository: str, tag: str | None) -> None:
    refused = f"'{text}' names no image"
    if not text or repository in ("", "library/"):
        raise BadReference(f"{refused}: the repository is missing. Write 'HOST/REPOSITORY:TAG'")
    if "://" in text:
        raise BadReference(f"{refused}: leave '{text.partition('://')[0]}://' out")
    if not _HOST.fullmatch(host):
        raise BadReference(f"{refused}: '{host}' is no host. Write 'HOST:PORT/REPOSITORY:TAG'")
    if not _REPOSITORY.fullmatch(repository):
        lower = f" Did you mean '{repository.lower()}'?" if repository != repository.lower() else ""
        raise BadReference(
            f"{refused}: '{repository}' is no repository. Its parts are lower-case letters and "
            f"digits, with '.', '_' or '-' between them.{lower}"
        )
    if len(repository) > _LONGEST_REPOSITORY:
        raise BadReference(f"{refused}: a repository has at most {_LONGEST_REPOSITORY} characters")
    if tag is not None and not _TAG.fullmatch(tag):
        raise BadReference(
            f"{refused}: '{tag}' is no tag. Write up to 128 letters, digits, '_', '.' and '-', "
            "without '.' or '-' in front"
        )
