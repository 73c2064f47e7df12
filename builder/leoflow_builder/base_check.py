"""Runs inside a new base image's interpreter: finds what does not load, and tells its versions.

Standard library only, and no import of leoflow's. The one argument is the root file system.
"""

import ctypes
import importlib
import json
import os
import platform
import ssl
import sys
from pathlib import Path

FEWEST_CERTIFICATES = 100


def main(root: Path) -> None:
    """Load all there is of compiled code and print {"python_version", "glibc"}."""
    load_libraries(root / "usr" / "lib" / f"{platform.machine()}-linux-gnu")
    load_modules(Path(os.__file__).parent / "lib-dynload")
    strangers = mapped_outside(root, Path("/proc/self/maps").read_text(encoding="utf-8"))
    if strangers:
        sys.exit(f"libraries that the base lacks were found on the host: {strangers}")
    found = len(ssl.create_default_context().get_ca_certs())
    if found < FEWEST_CERTIFICATES:
        sys.exit(f"only {found} CA certificates are found")
    glibc = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")[2]
    print(json.dumps({"python_version": platform.python_version(), "glibc": glibc}))


def load_libraries(folder: Path) -> None:
    for file in sorted(folder.glob("lib*.so*")):
        ctypes.CDLL(str(file))


def load_modules(folder: Path) -> None:
    for file in sorted(folder.glob("*.so")):
        importlib.import_module(file.name.partition(".")[0])


def mapped_outside(root: Path, maps: str) -> list[str]:
    """Return the shared objects among the memory mappings that lie outside the root."""
    fields = (line.split(maxsplit=5) for line in maps.splitlines())
    paths = {field[5] for field in fields if len(field) == 6 and ".so" in field[5]}
    return sorted(path for path in paths if not path.startswith(f"{root}/"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
