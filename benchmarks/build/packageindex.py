"""Serves a folder of wheels on loopback as a package index (PEP 503, PEP 658).

Caching is answered as the public index does it: wheels are immutable, pages live ten minutes, so
that pip, uv and pex treat their own caches as they would in real life.
"""

from __future__ import annotations

import argparse
import hashlib
import zipfile
from collections import defaultdict
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from packaging.utils import canonicalize_name

SUFFIX = ".metadata"


def lay_out(wheels: Path, root: Path) -> None:
    """Write the pages and links of an index for a folder of wheels into ``root``."""
    files = root / "files"
    files.mkdir(parents=True, exist_ok=True)
    pages: dict[str, list[str]] = defaultdict(list)
    for wheel in sorted(wheels.glob("*.whl")):
        served = files / wheel.name
        served.unlink(missing_ok=True)
        served.hardlink_to(wheel)
        metadata = _metadata(wheel)
        (files / f"{wheel.name}{SUFFIX}").write_bytes(metadata)
        name = canonicalize_name(wheel.name.split("-")[0])
        pages[name].append(_link(wheel, hashlib.sha256(metadata).hexdigest()))
    for project, links in pages.items():
        page = root / "simple" / project / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("<!DOCTYPE html>\n" + "<br>\n".join(links), encoding="utf-8")


def _metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        name = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        return archive.read(name)


def _link(wheel: Path, metadata: str) -> str:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return (
        f'<a href="/files/{wheel.name}#sha256={digest}" '
        f'data-core-metadata="sha256={metadata}">{wheel.name}</a>'
    )


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        age = "31536000, immutable" if self.path.startswith("/files/") else "600"
        self.send_header("Cache-Control", f"max-age={age}, public")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a line for each request would be in nobody's interest."""


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("port", type=int)
    arguments = parser.parse_args()
    handler = partial(_Handler, directory=str(arguments.root))
    ThreadingHTTPServer(("127.0.0.1", arguments.port), handler).serve_forever()


if __name__ == "__main__":
    main()
