"""Images of a container engine, saved into a file for as long as they are looked into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from leoflow_builder.inspection.archive import open_archive
from leoflow_builder.inspection.source import ImageSource
from leoflow_builder.scratch import scratch_folder


class SavingEngine(Protocol):
    """What is asked of an engine; EngineError if it does not answer."""

    def find(self, reference: str) -> object | None:
        """Return something if the engine has an image of that name."""
        ...

    def save(self, reference: str) -> Iterator[bytes]:
        """Give an image as an archive, piece by piece."""
        ...


@contextmanager
def open_in_engine(engine: SavingEngine, reference: str) -> Iterator[ImageSource | None]:
    """Give an image of an engine, or None if it has none of that name."""
    if engine.find(reference) is None:
        yield None
        return
    with scratch_folder("leoflow-inspect-") as folder:
        path = folder / "image.tar"
        _write(engine.save(reference), path)
        yield open_archive(path, f"the engine's image '{reference}'")


def _write(pieces: Iterator[bytes], path: Path) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
