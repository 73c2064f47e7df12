"""Makes a slim base image out of a recipe, once, and keeps it in leoflow's cache.

It knows no container engine: what it gives is a folder and the layer's tar.
"""

import fcntl
import hashlib
import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from leoflow_builder import (
    base_check,
    bytecode,
    compile_worker,
    debian,
    interpreter,
    layerblob,
    layertar,
    recipe,
    rootfs,
)
from leoflow_builder.interpreter import RootfsInterpreter
from leoflow_builder.layer import BLOB, Layer, describe
from leoflow_builder.recipe import ARCHITECTURES, BaseImageError, Recipe, load_recipe

Variant = Literal["plain", "bash"]
Say = Callable[[str], None]
# A change in any of these modules can change a base, so each is part of its key.
MAKERS = (
    base_check,
    bytecode,
    compile_worker,
    debian,
    interpreter,
    layerblob,
    layertar,
    recipe,
    rootfs,
)
CHECK_SECONDS = 60.0
NEEDED_BYTES = 350 * 10**6
UNFINISHED = ".building-"


@dataclass(frozen=True)
class BaseImage:
    """A base image in the cache. `python` and `site_packages` are paths inside the image."""

    key: str
    variant: str
    architecture: str
    rootfs: Path
    layer: Layer
    python: str
    site_packages: str
    python_version: str
    glibc: str
    packages: tuple[tuple[str, str], ...]


def ensure_base(python_version: str, variant: Variant, home: Path, say: Say) -> BaseImage:
    """Return the base image for a Python minor version such as "3.11", made if it is missing.

    `home` is LEOFLOW_HOME. Building takes Debian's tools and a mirror, but neither root nor an
    engine; a `BaseImageError` says what is missing.
    """
    wanted = load_recipe(python_version, variant, platform.machine())
    bases = home.absolute() / "cache" / "bases"
    folder = bases / base_key(wanted)
    if not folder.exists():
        bases.mkdir(parents=True, exist_ok=True)
        with _locked(bases / ".lock", say):
            if not folder.exists():
                _require_space(bases)
                _build_into(folder, wanted, say)
    return _read(folder)


def base_key(wanted: Recipe) -> str:
    """Name a base by all that decides its content, except the versions of the packages."""
    parts = [wanted.text, wanted.variant, wanted.machine]
    parts += [Path(str(module.__file__)).read_text(encoding="utf-8") for module in MAKERS]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"{wanted.name}-{ARCHITECTURES[wanted.machine]}-{digest[:16]}"


@contextmanager
def _locked(path: Path, say: Say) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another build of a base image")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _require_space(folder: Path) -> None:
    """Refuse a disk that would fill up, on which apt waits for ever instead of failing."""
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise BaseImageError(
            f"making a base image takes {NEEDED_BYTES // 10**6} MB for a while, and '{folder}' has "
            f"{free // 10**6} MB left. Free some space, or set LEOFLOW_HOME to another disk"
        )


def _build_into(folder: Path, wanted: Recipe, say: Say) -> None:
    """Build beside the folder and rename at the end, so that it is whole or not there."""
    for leftover in folder.parent.glob(f"{UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)  # a killed build's children may still write
    with tempfile.TemporaryDirectory(
        prefix=UNFINISHED, dir=folder.parent, ignore_cleanup_errors=True
    ) as work:
        done = _build(Path(work), wanted, say)
        done.rename(folder)


def _build(work: Path, wanted: Recipe, say: Say) -> Path:
    started = time.monotonic()
    result = work / "result"
    result.mkdir()
    say(f"base image {wanted.name}: fetching packages of Debian {wanted.suite}")
    unpacked = debian.unpack(wanted.suite, wanted.packages, work / "unpacked")
    say(f"base image {wanted.name}: picking files out of {len(unpacked.packages)} packages")
    packages = rootfs.assemble(unpacked, result / "rootfs", wanted)
    say(f"base image {wanted.name}: compiling the standard library")
    facts = _compile_and_check(result / "rootfs", wanted)
    layertar.set_times(result / "rootfs")
    say(f"base image {wanted.name}: compressing")
    packed = layerblob.pack_layer(result / "rootfs", result / BLOB, wanted.owners, "seldom")
    facts["layer"] = describe(packed, result / "rootfs")
    facts["packages"] = [package.as_dict() for package in packages]
    _write_facts(result, wanted, facts)
    seconds = time.monotonic() - started
    size = facts["layer"]["unpacked_bytes"] / 1e6
    say(f"base image {wanted.name}: {size:.1f} MB in {seconds:.0f} s")
    return result


def _compile_and_check(root: Path, wanted: Recipe) -> dict[str, Any]:
    python = RootfsInterpreter(root)
    library = f"usr/lib/python{wanted.python}"
    sources = bytecode.sources_below(root / library)
    failed = bytecode.compile_sources(python, root / library, f"/{library}", sources)
    if failed:
        raise BaseImageError(f"the standard library does not compile: {failed}")
    check = [str(base_check.__file__), str(root.resolve())]
    done = python.run(check, timeout_seconds=CHECK_SECONDS)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace")
        raise BaseImageError(f"the new base image {wanted.name} does not work:\n{said}")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def _write_facts(result: Path, wanted: Recipe, facts: dict[str, Any]) -> None:
    facts |= {
        "variant": wanted.variant,
        "architecture": ARCHITECTURES[wanted.machine],
        "python": f"/usr/bin/python{wanted.python}",
        "site_packages": f"/usr/local/lib/python{wanted.python}/dist-packages",
    }
    text = json.dumps(facts, indent=1, sort_keys=True)
    (result / "base.json").write_text(text + "\n", encoding="utf-8")


def _read(folder: Path) -> BaseImage:
    facts = json.loads((folder / "base.json").read_text(encoding="utf-8"))
    packages = tuple((one["name"], one["version"]) for one in facts.pop("packages"))
    layer = Layer("base", folder / BLOB, **facts.pop("layer"), reused=True)
    return BaseImage(
        key=folder.name,
        rootfs=folder / "rootfs",
        layer=layer,
        packages=packages,
        **facts,
    )
