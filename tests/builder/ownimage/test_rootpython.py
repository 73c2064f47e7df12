"""The Python of an unpacked image, found as a container would find it."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_builder.ownimage.rootpython import CannotRunHere, FoundPython, RootPython, find_python
from tarlayer import Entry, unpack
from test_elf import program

PROGRAM = Entry("usr/bin/python3.11", text="#!", mode=0o755)
LINK = Entry("usr/local/bin/python3", "link", "/usr/bin/python3.11")


@pytest.mark.parametrize(
    ("entries", "path", "expected"),
    [
        ([PROGRAM], "/bin:/usr/bin", ("/usr/bin/python3.11", "/usr/bin/python3.11", None)),
        ([PROGRAM, LINK], "/usr/local/bin", ("/usr/local/bin/python3", PROGRAM.name, None)),
        # The minor version that is wanted goes before one that is earlier on the PATH.
        ([PROGRAM, Entry("x/python3", text="#!", mode=0o755)], "/x:/usr/bin", (PROGRAM.name,) * 2),
        ([Entry("x/python3.11", text="no program")], "/x", None),
        ([Entry("x/python3.11", "folder")], "/x", None),
        ([Entry("x/python3.11", "link", "/none")], "/x", None),
        ([PROGRAM], "", None),
        (
            [PROGRAM, Entry("v/bin/python", "link", "/usr/bin/python3.11"), Entry("v/pyvenv.cfg")],
            "/v/bin",
            ("/v/bin/python", PROGRAM.name, "/v"),
        ),
    ],
)
def test_the_first_on_the_path(
    entries: list[Entry], path: str, expected: tuple[str, ...] | None, tmp_path: Path
) -> None:
    unpack(tmp_path / "r", entries)
    found = find_python(tmp_path / "r", path, "3.11")
    if expected is None:
        assert found is None
        return
    seen, real, venv = (*expected, None)[:3]
    assert found == FoundPython(f"/{str(seen).strip('/')}", f"/{str(real).strip('/')}", venv)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"bin/python3.11": b"#!/bin/sh\n"}, "is a script"),
        ({"bin/python3.11": program(None)}, "is a script, or is linked in an unusual way"),
        ({"bin/python3.11": program("/lib/ld.so", 21)}, "for 'ppc64le', and this machine is anot"),
    ],
)
def test_what_cannot_be_started_is_told(
    files: dict[str, bytes], reason: str, tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    found = FoundPython("/bin/python3.11", "/bin/python3.11", None)
    with pytest.raises(CannotRunHere, match=reason):
        RootPython(tmp_path, found, "3.11", {})
