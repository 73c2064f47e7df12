"""Where an image's Python is and where it looks for packages, both inside the image. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Installation:
    """``python`` and ``site_packages`` are absolute paths inside the image."""

    python: str
    site_packages: str

    @property
    def prefix(self) -> str:
        """The folder that holds bin and share: /usr/local for /usr/local/lib/python3.11/…"""
        return self.site_packages.rpartition("/lib/")[0]

    def site_in(self, tree: Path) -> Path:
        """Return the site folder in a tree that mirrors the image's root."""
        return tree / self.site_packages.lstrip("/")
