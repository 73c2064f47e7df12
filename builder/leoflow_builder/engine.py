"""The few questions and orders that a Docker engine gets; builds go through python-on-whales.

python-on-whales is imported at first use: it costs more than an unchanged build takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from leoflow_builder.failure import EngineError
from leoflow_builder.oci.engine_images import EngineImages, open_images
from leoflow_builder.oci.engine_socket import Archive

if TYPE_CHECKING:
    from python_on_whales import DockerClient

# Layers that are compressed with zstd already are taken as they are.
FORMAT = {"compression": "zstd", "oci-mediatypes": "true"}
_STEPS = (
    (re.compile(r"^#\d+ transferring context: \d"), "sending new layers to the engine"),
    (re.compile(r"^#\d+ exporting layers"), "compressing new layers"),
    (re.compile(r"^#\d+ unpacking to"), "unpacking the image in the engine"),
)
_RULE = "------"
_MOST_LINES = 40


@dataclass(frozen=True)
class BuildOrder:
    """One call of buildx. Files named in the Dockerfile lie in ``context``; ``contexts`` are
    others, by the name that it gives them. ``annotations`` are the manifest's."""

    context: Path
    dockerfile: Path
    tag: str
    platform: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """What the buildkit builder asks of an engine; EngineError if it does not answer."""

    def stores_manifests(self) -> bool:
        """Tell whether the engine keeps images as registries do (the containerd image store)."""
        ...

    def image_id(self, reference: str) -> str | None:
        """Return the id of an image, or None if the engine has none of that name."""
        ...

    def tag(self, image_id: str, reference: str) -> None:
        """Give an image one more name."""
        ...

    def load(self, archive: Archive) -> None:
        """Read images out of an archive."""
        ...

    def build(self, order: BuildOrder, say: Callable[[str], None]) -> str:
        """Build and load an image; return its id."""
        ...

    def export(self, order: BuildOrder, folder: Path, say: Callable[[str], None]) -> None:
        """Build an image into an OCI layout, a new folder."""
        ...


class WhalesEngine:
    """The engine that the `docker` command reaches."""

    @cached_property
    def _client(self) -> DockerClient:
        from python_on_whales import DockerClient

        return DockerClient()

    @cached_property
    def _images(self) -> EngineImages:
        return open_images()

    def stores_manifests(self) -> bool:
        """See `Engine`."""
        return self._stores_manifests

    @cached_property
    def _stores_manifests(self) -> bool:
        return self._images.stores_manifests()

    def image_id(self, reference: str) -> str | None:
        """See `Engine`."""
        found = self._images.find(reference)
        return None if found is None else found.image_id

    def tag(self, image_id: str, reference: str) -> None:
        """See `Engine`."""
        self._images.tag(image_id, reference)

    def load(self, archive: Archive) -> None:
        """See `Engine`."""
        self._images.load(archive)

    def build(self, order: BuildOrder, say: Callable[[str], None]) -> str:
        """See `Engine`."""
        self._buildx(order, {"type": "docker"}, say)
        built = self.image_id(order.tag)
        if built is None:
            raise EngineError(
                f"buildx built '{order.tag}' and the engine does not have it. Choose a builder "
                "that loads images: `docker buildx use default`"
            )
        return built

    def export(self, order: BuildOrder, folder: Path, say: Callable[[str], None]) -> None:
        """See `Engine`."""
        if not self.stores_manifests():
            raise EngineError(
                "the engine has the classic image store, from which buildx exports no image. "
                "Build with `--builder oci`, which needs no engine"
            )
        self._buildx(order, {"type": "oci", "tar": "false", "dest": str(folder)}, say)

    def _buildx(
        self, order: BuildOrder, output: dict[str, str], say: Callable[[str], None]
    ) -> None:
        if self.stores_manifests():
            output |= FORMAT | {f"annotation.{k}": v for k, v in order.annotations.items()}
        with _explained(f"building the image '{order.tag}'"):
            lines = self._client.buildx.build(
                order.context,
                file=order.dockerfile,
                tags=[order.tag],
                platforms=[order.platform],
                build_args=dict(order.arguments),
                build_contexts=dict(order.contexts),
                output=output,
                provenance=False,
                progress="plain",
                stream_logs=True,
            )
            for step in steps(cast("Iterator[str]", lines)):
                say(step)


def steps(lines: Iterable[str]) -> Iterator[str]:
    """Pick out of buildx's plain progress what tells a person how far it is, each step once."""
    told: set[str] = set()
    for line in lines:
        for pattern, step in _STEPS:
            if step not in told and pattern.search(line):
                told.add(step)
                yield step


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn what python-on-whales raises into an EngineError that says what to do."""
    from python_on_whales import ClientNotFoundError
    from python_on_whales.exceptions import DockerException

    try:
        yield
    except ClientNotFoundError:
        raise EngineError(
            f"{what} needs the `docker` command, which is not on PATH. Install docker and buildx"
        ) from None
    except DockerException as error:
        said = _last_lines(error.stderr or str(error))
        raise EngineError(f"{what} failed: {said}{_advice(said)}") from None


def _last_lines(text: str | bytes) -> str:
    decoded = text.decode(errors="replace") if isinstance(text, bytes) else text
    lines = [line.strip() for line in decoded.splitlines() if line.strip()]
    # BuildKit repeats what a failed step printed, between rules.
    report = lines.index(_RULE) if _RULE in lines else len(lines)
    return "\n".join(lines[min(report, max(len(lines) - 8, 0)) :][-_MOST_LINES:])


def _advice(said: str) -> str:
    lowered = said.lower()
    if "cannot connect" in lowered or "connection refused" in lowered:
        return "\nStart the engine, or point DOCKER_HOST at it"
    if "permission denied" in lowered:
        return "\nLet this user reach the engine's socket, for example by the group 'docker'"
    # Without its plugin docker takes buildx's options for its own.
    if "is not a docker command" in lowered or "unknown flag: --progress" in lowered:
        return "\nInstall docker-buildx"
    return ""
