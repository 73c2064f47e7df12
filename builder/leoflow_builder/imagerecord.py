"""Remembers which image was built for which content, so that nothing is built twice.

A record is a hint: whether the image is still there is the builder's to say.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from leoflow_builder.builder import Blob, BuiltImage
from leoflow_builder.wholefile import write_whole


def read_record(path: Path) -> BuiltImage | None:
    """Return what was written before, or None if there is nothing to be read."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        blobs = document["blobs"]
        known = None if blobs is None else tuple(Blob(**blob) for blob in blobs)
        return BuiltImage(**{**document, "blobs": known})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(path: Path, image: BuiltImage) -> None:
    """Write a record, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(asdict(image)).encode())
