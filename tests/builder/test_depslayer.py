"""The layer of the locked dependencies: what decides its key, and what its tree looks like."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard
from leoflow_builder.cachehold import claimed
from leoflow_builder.depslayer import deps_key, ensure_deps
from leoflow_builder.failure import BuildError
from leoflow_builder.installation import Installation
from leoflow_builder.interpreter import HostInterpreter
from leoflow_builder.layer import LayerFolder
from leoflow_builder.layerblob import open_layer
from leoflow_builder.lock import LockedPackage
from leoflow_builder.pextool import Pex
from leoflow_builder.pipconfig import read_pip_settings, translate
from leoflow_builder.target import Target
from leoflow_builder.uvtool import Uv
from leoflow_builder.wheeltool import Unresolvable, Wanted, WheelTool

if TYPE_CHECKING:
    from conftest import WheelIndex

MINOR = f"3.{sys.version_info.minor}"
TARGET = Target(f"{MINOR}.2", "2.36", "amd64")
PLACE = Installation(f"/usr/bin/python{MINOR}", f"/usr/local/lib/python{MINOR}/dist-packages")
HOST = HostInterpreter(Path(sys.executable))
TOOL = {
    "tool/__init__.py": "def name():\n    return __file__\n",
    "tool/python2.py": "print 'old'\n",
    "tool/data.json": "{}",
    "tool/fast.so": "\x7fELF and more",
    "tool/helper": "#!/bin/sh\n",
    "{info}/entry_points.txt": "[console_scripts]\ntool = tool:name\n[gui_scripts]\nx = tool:a.b\n",
    "tool-1.0.data/scripts/jp.py": "#!python\nimport tool\n",
    "tool-1.0.data/scripts/shell": "#!/bin/sh\necho\n",
    "tool-1.0.data/data/share/tool/notes.txt": "notes",
}


class CountingTool:
    """uv, which counts what it has to unpack, wheel by wheel and call by call."""

    def __init__(self, root: Path) -> None:
        self._uv = Uv(root, translate(read_pip_settings(os.environ), os.environ))
        self.unpacked: list[list[str]] = []

    def resolve(self, wanted: Wanted, target: Target) -> list[LockedPackage]:
        return self._uv.resolve(wanted, target)

    def unpack(self, packages: Sequence[LockedPackage], target: Target, folder: Path) -> None:
        self.unpacked.append([one.name for one in packages])
        self._uv.unpack(packages, target, folder)


class Kitchen:
    """A LEOFLOW_HOME and what makes layers in it."""

    def __init__(self, home: Path, tool: WheelTool | None = None) -> None:
        self.home = home
        self.tool = tool or CountingTool(home / "uv")

    def make(self, *packages: LockedPackage) -> LayerFolder:
        made = ensure_deps(packages, TARGET, PLACE, HOST, lambda: self.tool, self.home)
        assert made is not None
        return made

    @property
    def unpacked(self) -> list[list[str]]:
        assert isinstance(self.tool, CountingTool)
        return self.tool.unpacked


@pytest.fixture
def kitchen(tmp_path: Path, wheel_index: WheelIndex) -> Kitchen:
    return Kitchen(tmp_path / "home")


@pytest.fixture
def tool(wheel_index: WheelIndex) -> LockedPackage:
    return wheel_index.wheel("tool", "1.0", files=TOOL)


def names_in(layer: LayerFolder) -> list[str]:
    with open_layer(layer.layer.blob) as archive:
        return [one.name for one in archive]


def files_of(tree: Path) -> dict[str, bytes]:
    return {p.relative_to(tree).as_posix(): p.read_bytes() for p in tree.rglob("*") if p.is_file()}


def test_nothing_locked_makes_no_layer(tmp_path: Path) -> None:
    def never() -> WheelTool:
        raise AssertionError

    assert ensure_deps([], TARGET, PLACE, HOST, never, tmp_path) is None


def test_packages_lie_on_the_site_path_and_scripts_on_path(
    kitchen: Kitchen, tool: LockedPackage
) -> None:
    tree = kitchen.make(tool).tree
    assert (PLACE.site_in(tree) / "tool/__init__.py").exists()
    assert (tree / "usr/local/share/tool/notes.txt").read_text() == "notes"
    for name in ("tool", "x", "jp.py"):
        assert (tree / "usr/local/bin" / name).read_text().startswith(f"#!{PLACE.python}\n"), name
        assert (tree / "usr/local/bin" / name).stat().st_mode & 0o777 == 0o755
    assert (tree / "usr/local/bin/shell").read_text() == "#!/bin/sh\necho\n"


def test_bytecode_knows_where_it_lies_in_the_image(kitchen: Kitchen, tool: LockedPackage) -> None:
    site = PLACE.site_in(kitchen.make(tool).tree)
    [compiled] = (site / "tool/__pycache__").iterdir()
    assert f"{PLACE.site_packages}/tool/__init__.py".encode() in compiled.read_bytes()
    assert str(kitchen.home).encode() not in compiled.read_bytes()


def test_a_module_that_does_not_compile_is_kept_and_noted(
    kitchen: Kitchen, tool: LockedPackage
) -> None:
    made = kitchen.make(tool)
    assert made.facts["not_compiled"] == ["tool/python2.py"]
    assert (PLACE.site_in(made.tree) / "tool/python2.py").exists()


@pytest.mark.parametrize("pth", [True, False])
def test_pth_files_are_noted(kitchen: Kitchen, wheel_index: WheelIndex, pth: bool) -> None:
    files = {"a.py": "", **({"a.pth": "import sys\n"} if pth else {})}
    packages = [wheel_index.wheel("a", "1", files=files), wheel_index.wheel("b", "1")]
    assert kitchen.make(*packages).facts["has_pth"] is pth


def test_no_installer_leaves_a_trace(kitchen: Kitchen, tool: LockedPackage) -> None:
    site = PLACE.site_in(kitchen.make(tool).tree)
    assert sorted(one.name for one in site.iterdir()) == ["tool", "tool-1.0.dist-info"]
    kept = sorted(one.name for one in (site / "tool-1.0.dist-info").iterdir())
    assert kept == ["METADATA", "RECORD", "WHEEL", "entry_points.txt"]
    record = (site / "tool-1.0.dist-info/RECORD").read_text()
    assert "INSTALLER" not in record
    assert "../../../bin/x,sha256=" in record


def test_the_blob_is_the_tar_of_the_tree_and_ends_as_tars_do(
    kitchen: Kitchen, tool: LockedPackage, wheel_index: WheelIndex
) -> None:
    made = kitchen.make(tool, wheel_index.wheel("other", "1"))
    content = made.layer.blob.read_bytes()
    assert made.layer.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    with made.layer.blob.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        plain = reader.read()
    assert made.layer.diff_id == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    assert plain[-1024:] == bytes(1024)
    names = set(names_in(made))
    assert names == {p.relative_to(made.tree).as_posix() for p in made.tree.rglob("*")}
    assert names_in(made)[0] == "usr"


# Setting up its cache takes pex, the fallback, ten seconds.
@pytest.mark.long
def test_uv_and_pex_give_the_same_bytes(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    tool: LockedPackage,
    wheel_index: WheelIndex,
) -> None:
    packages = [tool, wheel_index.wheel("other", "1", files={"other.py": "x = {1, 2}\n"})]
    by_uv = Kitchen(tmp_path / "uv").make(*packages)
    by_pex = Kitchen(tmp_path / "pex", Pex(tmp_path_factory.getbasetemp() / "pex")).make(*packages)
    assert files_of(by_uv.tree) == files_of(by_pex.tree)
    assert by_uv.layer.digest == by_pex.layer.digest
    for name in ("fast.so", "helper"):
        assert os.access(PLACE.site_in(by_pex.tree) / "tool" / name, os.X_OK), name


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_umask_does_not_show(
    tmp_path: Path, tool: LockedPackage, kitchen: Kitchen, umask: int
) -> None:
    before = os.umask(umask)
    try:
        other = Kitchen(tmp_path / "masked").make(tool)
    finally:
        os.umask(before)
    assert other.layer.digest == kitchen.make(tool).layer.digest
    assert {one.stat().st_mode & 0o444 for one in other.tree.rglob("*")} == {0o444}


def test_wheels_that_are_new_are_unpacked_in_one_call_and_the_others_not_at_all(
    kitchen: Kitchen, tool: LockedPackage, wheel_index: WheelIndex
) -> None:
    other, third = wheel_index.wheel("other", "1"), wheel_index.wheel("third", "1")
    kitchen.make(tool, other)
    kitchen.make(tool, other, third)
    assert kitchen.unpacked == [["other", "tool"], ["third"]]


def test_a_wheel_made_beside_others_has_the_same_bytes_as_one_made_alone(
    tmp_path: Path, tool: LockedPackage, wheel_index: WheelIndex
) -> None:
    other = wheel_index.wheel(
        "other", "1", files={f"o/m{i}.py": f"x = 'a{i}'\n" for i in range(40)}
    )
    together = Kitchen(tmp_path / "1").make(tool, other)
    apart = Kitchen(tmp_path / "2")
    apart.make(other)
    apart.make(tool)
    assert apart.make(tool, other).layer.digest == together.layer.digest


def test_the_number_of_processors_does_not_show(
    tmp_path: Path, tool: LockedPackage, wheel_index: WheelIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = wheel_index.wheel(
        "other", "1", files={f"o/m{i}.py": f"x = 'a{i}'\n" for i in range(40)}
    )
    digests = set()
    for number in (1, 7):
        monkeypatch.setattr(os, "cpu_count", lambda number=number: number)
        digests.add(Kitchen(tmp_path / str(number)).make(tool, other).layer.digest)
    assert len(digests) == 1


def test_of_a_file_that_two_wheels_bring_the_last_one_wins(
    tmp_path: Path, kitchen: Kitchen, wheel_index: WheelIndex
) -> None:
    first = wheel_index.wheel("aa", "1", files={"shared/a.py": "x = 1\n", "shared/b.py": ""})
    second = wheel_index.wheel("bb", "1", files={"shared/a.py": "x = 2\n"})
    made = kitchen.make(second, first)
    site = PLACE.site_in(made.tree)
    assert (site / "shared/a.py").read_text() == "x = 2\n"
    inside = f"{PLACE.site_packages.lstrip('/')}/shared/a.py"
    with open_layer(made.layer.blob) as archive:
        found = [archive.extractfile(one).read() for one in archive if one.name == inside]  # type: ignore[union-attr]
    assert found == [b"x = 2\n"]
    # Docker's classic image store refuses a layer that has a name twice, be it a folder's.
    names = names_in(made)
    assert len(names) == len(set(names))
    apart = Kitchen(tmp_path / "apart")
    apart.make(first)
    assert apart.make(first, second).layer.digest == made.layer.digest


def test_the_tree_is_made_of_links_to_the_wheels(kitchen: Kitchen, tool: LockedPackage) -> None:
    made = kitchen.make(tool)
    assert (PLACE.site_in(made.tree) / "tool/data.json").stat().st_nlink == 2


def test_a_disk_without_links_gets_copies_and_the_same_layer(
    kitchen: Kitchen, tool: LockedPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    linked = kitchen.make(tool)
    shutil.rmtree(linked.tree.parent)
    monkeypatch.setattr(os, "link", refuse)
    copied = kitchen.make(tool)
    assert (PLACE.site_in(copied.tree) / "tool/data.json").stat().st_nlink == 1
    assert copied.layer.digest == linked.layer.digest


def test_it_is_made_once(kitchen: Kitchen, tool: LockedPackage) -> None:
    first, second = kitchen.make(tool), kitchen.make(tool)
    assert (len(kitchen.unpacked), first.layer.reused, second.layer.reused) == (1, False, True)


CHILD = """
import json, os, sys
from pathlib import Path
from leoflow_builder import wheelstore
from leoflow_builder.depslayer import ensure_deps
from leoflow_builder.installation import Installation
from leoflow_builder.interpreter import HostInterpreter
from leoflow_builder.lock import LockedPackage
from leoflow_builder.target import Target
from leoflow_builder.wheelfinder import find_tool
order = json.load(sys.stdin)
home = Path(order["home"])
if order["dies"]:
    wheelstore.pack_frame = lambda *_: os.kill(os.getpid(), 9)
unpacked = []
class Tool:
    def unpack(self, packages, target, folder):
        unpacked.append([one.name for one in packages])
        find_tool(home, print).unpack(packages, target, folder)
packages = [LockedPackage(*one) for one in order["packages"]]
target, place = Target(*order["target"]), Installation(*order["place"])
made = ensure_deps(packages, target, place, HostInterpreter(Path(sys.executable)), Tool, home)
print(json.dumps([made.layer.digest, unpacked]))
"""


def start(kitchen: Kitchen, *packages: LockedPackage, dies: bool = False) -> subprocess.Popen[str]:
    order = {
        "home": str(kitchen.home),
        "dies": dies,
        "packages": [astuple(one) for one in packages],
        "target": astuple(TARGET),
        "place": astuple(PLACE),
    }
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    child.stdin.write(json.dumps(order))
    child.stdin.close()
    child.stdin = None
    return child


def test_a_layer_that_is_used_again_is_not_pruned(kitchen: Kitchen, tool: LockedPackage) -> None:
    start(kitchen, tool).communicate(timeout=200)
    made = kitchen.make(tool)
    assert made.layer.reused
    with claimed(made.tree.parent) as free:
        assert not free


def test_ten_at_once_make_each_wheel_once(
    kitchen: Kitchen, tool: LockedPackage, wheel_index: WheelIndex
) -> None:
    other = wheel_index.wheel("other", "1")
    children = [start(kitchen, *([tool, other] if n % 2 else [other])) for n in range(10)]
    found = [json.loads(child.communicate(timeout=200)[0]) for child in children]
    assert len({digest for digest, _ in found}) == 2
    unpacked = [name for _, calls in found for call in calls for name in call]
    assert sorted(unpacked) == ["other", "tool"]


def test_a_killed_one_leaves_no_broken_cache(kitchen: Kitchen, tool: LockedPackage) -> None:
    child = start(kitchen, tool, dies=True)
    child.communicate(timeout=200)
    assert child.returncode == -9
    made = kitchen.make(tool)
    assert not made.layer.reused
    assert (PLACE.site_in(made.tree) / "tool/__init__.py").exists()
    assert not list((kitchen.home / "cache/wheels").glob(".making-*"))


def test_a_failure_leaves_no_half_tree_and_what_was_there_stays(
    kitchen: Kitchen, tool: LockedPackage, wheel_index: WheelIndex
) -> None:
    kitchen.make(tool)
    wrong = replace(wheel_index.wheel("other", "1"), sha256="0" * 64)
    with pytest.raises(Unresolvable) as caught:
        kitchen.make(tool, wrong)
    assert caught.value.failure.kind == "hash"
    assert kitchen.make(tool).layer.reused
    kept = [one for one in (kitchen.home / "cache/wheels").iterdir() if one.is_dir()]
    assert len(kept) == 1


def test_the_key_follows_what_is_inside_and_nothing_else() -> None:
    package = LockedPackage("tool", "1", "tool-1.whl", "aa")
    keys = [
        deps_key([package], TARGET, PLACE),
        deps_key([replace(package, sha256="bb")], TARGET, PLACE),
        deps_key([package], replace(TARGET, architecture="arm64"), PLACE),
        deps_key([package], replace(TARGET, python_version=f"{MINOR}.9"), PLACE),
        deps_key([package], TARGET, replace(PLACE, site_packages="/opt/site")),
    ]
    assert len(set(keys)) == len(keys)
    other = LockedPackage("zeta", "1", "z.whl", "cc")
    assert deps_key([other, package], TARGET, PLACE) == deps_key([package, other], TARGET, PLACE)


def test_a_full_disk_is_told_in_plain_words_and_nothing_half_stays(
    kitchen: Kitchen, tool: LockedPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("leoflow_builder.wheelstore.pack_frame", full)
        with pytest.raises(BuildError, match=r"the disk is full.*LEOFLOW_HOME"):
            kitchen.make(tool)
    assert not kitchen.make(tool).layer.reused
