"""The layer of the locked dependencies: what decides its key, and what its tree looks like."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from leoflow_builder.depslayer import Installation, deps_key, ensure_deps
from leoflow_builder.interpreter import HostInterpreter
from leoflow_builder.layer import LayerFolder
from leoflow_builder.lock import Lock, LockedPackage, make_lock
from leoflow_builder.pextool import Pex, Unresolvable
from leoflow_builder.resolvefailure import ResolveFailure
from leoflow_builder.target import Target

MINOR = f"3.{sys.version_info.minor}"
TARGET = Target(f"{MINOR}.2", "2.36", "amd64")
PLACE = Installation(f"/usr/bin/python{MINOR}", f"/usr/local/lib/python{MINOR}/dist-packages")
LOCK = make_lock(["tool"], TARGET, "base", [LockedPackage("tool", "1", "tool-1.whl", "aa")])
HOST = HostInterpreter(Path(sys.executable))


class FakePex(Pex):
    """Unpacks one package with a script, one module of it broken."""

    def __init__(self, pth: bool = False, fail: bool = False) -> None:
        self._pth, self._fail = pth, fail
        self.calls = 0

    def unpack(self, lock: Lock, target: Target, folder: Path) -> None:
        self.calls += 1
        (folder / "tool").mkdir(parents=True)
        if self._fail:
            raise Unresolvable(ResolveFailure("hash", "other hash"))
        (folder / "tool" / "__init__.py").write_text("def name():\n    return __file__\n")
        (folder / "tool" / "python2.py").write_text("print 'old'\n")
        (folder / "bin").mkdir()
        (folder / "bin" / "tool").write_text("#!python\nimport tool\n")
        if self._pth:
            (folder / "tool.pth").write_text("import sys\n")


def make(home: Path, pex: Pex) -> LayerFolder:
    made = ensure_deps(LOCK, TARGET, PLACE, HOST, pex, home)
    assert made is not None
    return made


def test_nothing_locked_makes_no_layer(tmp_path: Path) -> None:
    empty = make_lock([], TARGET, "base", [])
    assert ensure_deps(empty, TARGET, PLACE, HOST, FakePex(), tmp_path) is None


def test_packages_lie_on_the_site_path_and_scripts_on_path(tmp_path: Path) -> None:
    tree = make(tmp_path, FakePex()).tree
    assert (PLACE.site_in(tree) / "tool/__init__.py").exists()
    script = (tree / "usr/local/bin/tool").read_text()
    assert script.startswith(f"#!{PLACE.python}\n")


def test_bytecode_knows_where_it_lies_in_the_image(tmp_path: Path) -> None:
    site = PLACE.site_in(make(tmp_path, FakePex()).tree)
    [compiled] = (site / "tool/__pycache__").iterdir()
    assert f"{PLACE.site_packages}/tool/__init__.py".encode() in compiled.read_bytes()
    assert str(tmp_path).encode() not in compiled.read_bytes()


def test_a_module_that_does_not_compile_is_kept_and_noted(tmp_path: Path) -> None:
    made = make(tmp_path, FakePex())
    assert made.facts["not_compiled"] == ["tool/python2.py"]
    assert (PLACE.site_in(made.tree) / "tool/python2.py").exists()


@pytest.mark.parametrize("pth", [True, False])
def test_pth_files_are_noted(tmp_path: Path, pth: bool) -> None:
    assert make(tmp_path, FakePex(pth=pth)).facts["has_pth"] is pth


def test_two_machines_make_the_same_bytes(tmp_path: Path) -> None:
    one, other = make(tmp_path / "1", FakePex()), make(tmp_path / "2", FakePex())
    assert one.layer.digest == other.layer.digest


def test_it_is_made_once(tmp_path: Path) -> None:
    pex = FakePex()
    first, second = make(tmp_path, pex), make(tmp_path, pex)
    assert (pex.calls, first.layer.reused, second.layer.reused) == (1, False, True)


def test_a_failure_leaves_no_half_tree(tmp_path: Path) -> None:
    with pytest.raises(Unresolvable):
        make(tmp_path, FakePex(fail=True))
    assert not make(tmp_path, FakePex()).layer.reused


def test_the_key_follows_what_is_inside_and_nothing_else() -> None:
    changed = LockedPackage("tool", "1", "tool-1.whl", "bb")
    keys = [
        deps_key(LOCK, TARGET, PLACE),
        deps_key(replace(LOCK, packages=(changed,)), TARGET, PLACE),
        deps_key(LOCK, replace(TARGET, architecture="arm64"), PLACE),
        deps_key(LOCK, replace(TARGET, python_version=f"{MINOR}.9"), PLACE),
        deps_key(LOCK, TARGET, replace(PLACE, site_packages="/opt/site")),
    ]
    assert len(set(keys)) == len(keys)
    same = replace(LOCK, requirements=("tool>=0",), base="another")
    assert deps_key(same, TARGET, PLACE) == keys[0]
