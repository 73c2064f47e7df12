"""What tests of dependencies share: an index of files, made by the test, with every defect."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leoflow_builder.lock import LockedPackage


@dataclass(frozen=True)
class WheelIndex:
    """A package index (PEP 503) made of files in ``root``."""

    root: Path

    @property
    def url(self) -> str:
        return self.root.as_uri()

    def wheel(
        self,
        name: str,
        version: str,
        requires: Sequence[str] = (),
        files: Mapping[str, str] | None = None,
        tag: str = "py3-none-any",
        yanked: bool = False,
    ) -> LockedPackage:
        """Publish a wheel; without ``files`` it has one module of its own name."""
        module = name.replace("-", "_")
        info = f"{module}-{version}.dist-info"
        needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
        content = {
            **(files or {f"{module}/__init__.py": f"version = {version!r}\n"}),
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        }
        content = {key.replace("{info}", info): text for key, text in content.items()}
        rows = "".join(_row(path, text) for path, text in content.items())
        content[f"{info}/RECORD"] = f"{rows}{info}/RECORD,,\n"
        path = self._folder(name) / f"{module}-{version}-{tag}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for inner, text in content.items():
                entry = zipfile.ZipInfo(inner)
                entry.external_attr = (0o755 if inner.endswith(".so") else 0o644) << 16
                archive.writestr(entry, text)
        if yanked:
            path.with_suffix(".yanked").touch()
        self._list(name)
        return LockedPackage(name, version, path.name, _sha256(path))

    def source(self, name: str, version: str) -> None:
        """Publish a source archive."""
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        with tarfile.open(self._folder(name) / f"{name}-{version}.tar.gz", "w:gz") as archive:
            entry = tarfile.TarInfo(f"{name}-{version}/PKG-INFO")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
        self._list(name)

    def withdraw(self, package: LockedPackage) -> None:
        """Take a wheel away, as if it had never been there."""
        (self._folder(package.name) / package.filename).unlink()
        self._list(package.name)

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _list(self, name: str) -> None:
        folder = self._folder(name)
        files = sorted(one for one in folder.iterdir() if one.suffix in (".whl", ".gz"))
        (folder / "index.html").write_text("\n".join(_link(one) for one in files))
        names = sorted(one.name for one in self.root.iterdir() if one.is_dir())
        links = "\n".join(f'<a href="{one}/">{one}</a>' for one in names)
        (self.root / "index.html").write_text(links)


def _row(path: str, text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
    return f"{path},sha256={digest.decode()},{len(text.encode())}\n"


def _link(file: Path) -> str:
    yanked = ' data-yanked="broken"' if file.with_suffix(".yanked").exists() else ""
    return f'<a href="{file.name}#sha256={_sha256(file)}"{yanked}>{file.name}</a>'


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
