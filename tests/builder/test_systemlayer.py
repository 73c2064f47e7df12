"""The layer of system packages, out of archives made here."""

from pathlib import Path
from typing import Any

import pytest
from leoflow_builder.aptindex import UnknownPackage
from leoflow_builder.baseimage import BaseImage
from leoflow_builder.cachehold import claimed
from leoflow_builder.debarchive import DebCache
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.layer import Layer
from leoflow_builder.recipe import BaseImageError
from leoflow_builder.systemlayer import SystemLayer, make_system, order_of

TRIPLET = "usr/lib/x86_64-linux-gnu"


class World:
    """A base with one library, and a mirror with programs that need it."""

    def __init__(self, folder: Path, deb: Any, mirror: Any) -> None:
        self.home = folder
        self.said: list[str] = []
        libc = deb(folder, "libc6", {f"{TRIPLET}/libc.so.6": "", f"{TRIPLET}/extra.so": ""})
        bash = deb(folder, "bash", {"bin/bash": "bash", "usr/bin/bashbug": ""})
        tool = {
            "usr/bin/tool": "#!",
            f"{TRIPLET}/libc.so.6": "another",
            "usr/share/man/tool.1": "",
            "usr/share/doc/tool/copyright": "licence",
        }
        script = "update-alternatives --install /usr/bin/t t /usr/bin/tool 1\nadduser x\n"
        self.debs = [libc, bash, deb(folder, "tool", tool, postinst=script)]
        grep = deb(folder, "grep", {"usr/share/grep/x": ""})
        self.debs.append(grep)
        others = ("data", "dpkg", "perl", "perl-base")
        self.debs += [deb(folder, name, {f"usr/share/{name}/x": ""}) for name in others]
        needs = {"tool": ["libc6", "data", "dpkg"], "dpkg": ["perl-base"], "perl": ["perl-base"]}
        self.mirror = mirror(self.debs, needs)
        rootfs = folder / "base" / "rootfs"
        (rootfs / TRIPLET).mkdir(parents=True)
        (rootfs / TRIPLET / "libc.so.6").touch()
        layer = Layer("base", folder, "sha256:base", "", 0, 0, True)
        fields: dict[str, Any] = {"python": "", "site_packages": "", "glibc": "2.36"}
        self.base = BaseImage(
            key="base",
            architecture="amd64",
            rootfs=rootfs,
            layer=layer,
            python_version="3.11.2",
            packages=(libc[0],),
            debs=(libc[0], bash[0], grep[0]),
            **fields,
        )

    def make(self, *names: str, shell: bool = False, **options: Any) -> SystemLayer:
        order = order_of(names, self.base, shell)
        return make_system(order, self.home, self.said.append, self.mirror, **options)


@pytest.fixture
def world(tmp_path: Path, deb: Any, mirror: Any) -> World:
    return World(tmp_path, deb, mirror)


def paths_below(tree: Path) -> set[str]:
    return {
        p.relative_to(tree).as_posix() for p in tree.rglob("*") if p.is_symlink() or p.is_file()
    }


def test_it_has_what_the_base_lacks_and_no_documentation(world: World) -> None:
    assert paths_below(world.make("tool").folder.tree) == {
        "usr/bin/t",
        "usr/bin/tool",
        "usr/share/data/x",
        "usr/share/doc/tool/copyright",
    }


def test_packages_for_maintainer_scripts_come_by_their_own_names_only(world: World) -> None:
    assert [one.name for one in world.make("tool").debs] == ["data", "tool"]
    assert [one.name for one in world.make("dpkg").debs] == ["dpkg"]


def test_a_package_comes_with_what_it_does_not_work_without(world: World) -> None:
    assert [one.name for one in world.make("perl").debs] == ["perl", "perl-base"]


def test_what_a_script_would_do_is_said_if_it_is_not_done(world: World) -> None:
    world.make("tool")
    assert "system package 'tool': its installation runs adduser, not done" in world.said


def test_a_named_package_of_the_base_gets_in_whole(world: World) -> None:
    made = world.make("libc6")
    assert paths_below(made.folder.tree) == {f"{TRIPLET}/extra.so"}
    assert made.debs == ()


def test_a_shell_is_bash_without_what_no_task_needs(world: World) -> None:
    made = world.make(shell=True)
    assert paths_below(made.folder.tree) == {"usr/bin/bash", "usr/bin/sh"}
    assert made.debs == ()


def test_bash_by_name_is_a_shell(world: World) -> None:
    assert paths_below(world.make("bash").folder.tree) == {
        "usr/bin/bash",
        "usr/bin/bashbug",
        "usr/bin/sh",
    }


def test_all_that_is_in_it_is_told_however_it_came_in(world: World) -> None:
    def named(made: SystemLayer) -> list[str]:
        return [one.name for one in made.packages]

    assert named(world.make("tool")) == ["data", "tool"]
    assert named(world.make("libc6")) == ["libc6"]
    assert named(world.make(shell=True)) == ["bash", "grep"]
    assert named(world.make("bash")) == ["bash", "grep"]


def test_pins_ask_nobody_once_they_are_in_the_cache(world: World) -> None:
    first = world.make("tool")
    asked = list(world.mirror.asked)
    again = world.make("tool", pins=first.debs, strict=True)
    assert again.folder.layer.reused
    assert again.debs == first.debs
    assert world.mirror.asked == asked


def test_what_it_is_made_of_is_not_pruned(world: World) -> None:
    cache = DebCache(world.home)
    for package in world.make("tool").debs:
        with claimed(cache.path(package)) as free:
            assert not free


def test_a_declared_package_that_is_not_pinned_is_refused(world: World) -> None:
    with pytest.raises(BaseImageError, match="pins no 'tool'"):
        world.make("tool", pins=[DebPackage("data", "1", "all", "0" * 64)])


def test_an_unknown_name_is_told(world: World) -> None:
    with pytest.raises(UnknownPackage, match="no package 'toool'"):
        world.make("toool")
