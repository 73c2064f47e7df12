"""Base images made for real out of Debian's packages, used without and with a container."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from leoflow_builder.baseimage import BaseImage, ensure_base
from leoflow_builder.interpreter import RootfsInterpreter
from leoflow_builder.recipe import load_recipe

# Of the standard library of 3.11: what only other systems have, what Debian or the recipe leaves
# out, and two that show off when they are imported.
ELSEWHERE = {"_dbm", "_gdbm", "_msi", "_overlapped", "_scproxy", "_winapi"}
ELSEWHERE |= {"msilib", "msvcrt", "nt", "winreg", "winsound", "antigravity", "this"}
EXAMINE = """
import importlib, importlib.util, json, locale, os, pathlib, pwd, socket, ssl, sys, tempfile
import zoneinfo
broken = []
for name in sorted(sys.stdlib_module_names - set(json.loads(sys.argv[1]))):
    try:
        importlib.import_module(name)
    except ImportError as error:
        broken.append(f"{name}: {error}")
library = pathlib.Path(os.__file__).parent
sources = [str(file) for file in library.rglob("*.py")]
lacking = [s for s in sources if not os.path.exists(importlib.util.cache_from_source(s))]
print(json.dumps({
    "broken": broken, "lacking": lacking, "sources": len(sources),
    "certificates": len(ssl.create_default_context().get_ca_certs()),
    "locale": locale.setlocale(locale.LC_ALL, "C.UTF-8"),
    "zone": str(zoneinfo.ZoneInfo("US/Eastern")),
    "code": json.dumps.__code__.co_filename,
    "user": pwd.getpwuid(os.getuid()).pw_name, "home": os.path.expanduser("~"),
    "writable": [os.access(p, os.W_OK) for p in (os.path.expanduser("~"), tempfile.gettempdir())],
    "localhost": socket.gethostbyname("localhost"),
    "path": sys.path,
}))
"""


@pytest.fixture(scope="module")
def plain(shared_home: Path) -> BaseImage:
    return ensure_base("3.11", "plain", shared_home, print)


@pytest.fixture(scope="module")
def bash(shared_home: Path) -> BaseImage:
    return ensure_base("3.11", "bash", shared_home, print)


@pytest.fixture
def load() -> Iterator[list[str]]:
    """Give the list of images to remove at the end."""
    images: list[str] = []
    yield images
    for image in images:
        subprocess.run(["docker", "image", "rm", "--force", image], check=True, capture_output=True)


def imported(base: BaseImage, images: list[str]) -> str:
    tag = f"leoflow-test-base:{uuid4().hex}"
    command = ["docker", "import", "--change", "USER 65532", str(base.layer.blob), tag]
    subprocess.run(command, check=True, capture_output=True)
    images.append(tag)
    return tag


def in_container(image: str, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["docker", "run", "--rm", "--network=none", image, *command], capture_output=True, text=True
    )


def absent() -> str:
    return json.dumps(
        sorted(ELSEWHERE | set(load_recipe("3.11", "plain", "x86_64").absent_modules))
    )


def test_a_second_call_makes_nothing(plain: BaseImage, shared_home: Path) -> None:
    said: list[str] = []
    assert ensure_base("3.11", "plain", shared_home, said.append) == plain
    assert said == []


def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    bases = [ensure_base("3.11", "plain", tmp_path / name, print) for name in ("one", "two")]
    assert bases[0].packages == bases[1].packages
    assert bases[0].layer.digest == bases[1].layer.digest


def test_the_plain_base_is_slim(plain: BaseImage) -> None:
    assert plain.layer.unpacked_bytes < 52_000_000
    assert plain.layer.size_bytes < 14_000_000


def test_the_bash_base_keeps_within_the_limit(bash: BaseImage) -> None:
    assert bash.layer.unpacked_bytes < 59_500_000


def test_the_facts_are_those_of_the_packages(plain: BaseImage) -> None:
    versions = dict(plain.packages)
    assert versions["python3.11-minimal"].startswith(plain.python_version)
    assert versions["libc6"].startswith(plain.glibc)
    assert not {"dpkg", "perl-base", "libdb5.3", "openssl-doc"} & set(versions)


def test_no_shell_package_tool_or_documentation_is_left(plain: BaseImage) -> None:
    programs = {path.name for path in (plain.rootfs / "usr/bin").iterdir()}
    assert programs == {"python", "python3", "python3.11"}
    for place in ("usr/share/man", "usr/share/locale", "var/lib/dpkg", "etc/apt", "usr/sbin"):
        assert not (plain.rootfs / place).exists()


def test_without_a_container_its_python_finds_only_its_own(plain: BaseImage) -> None:
    code = "import sys, numbers; print(sys.version_info[:2], sys.prefix, numbers.__file__)"
    done = RootfsInterpreter(plain.rootfs).run(["-c", code], timeout_seconds=30)
    prefix = plain.rootfs / "usr"
    assert done.stdout.decode() == f"(3, 11) {prefix} {prefix}/lib/python3.11/numbers.py\n"


@pytest.mark.engine
def test_in_a_container_the_whole_standard_library_works(plain: BaseImage, load: list[str]) -> None:
    done = in_container(imported(plain, load), plain.python, "-I", "-c", EXAMINE, absent())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("sources") > 500
    assert found.pop("certificates") > 100
    assert plain.site_packages in found.pop("path")
    assert found == {
        "broken": [],
        "lacking": [],
        "locale": "C.UTF-8",
        "zone": "US/Eastern",
        "code": "/usr/lib/python3.11/json/__init__.py",
        "user": "leoflow",
        "home": "/home/leoflow",
        "writable": [True, True],
        "localhost": "127.0.0.1",
    }


@pytest.mark.engine
def test_the_bash_base_has_a_shell_with_coreutils_and_grep(
    bash: BaseImage, load: list[str]
) -> None:
    script = (
        "set -euo pipefail; seq 3 | grep 2 | sort | tee /tmp/x; expr 2 + 2; id -un; date -u +%Z"
    )
    done = in_container(imported(bash, load), "sh", "-c", script)
    assert done.stdout.split() == ["2", "4", "leoflow", "UTC"], done.stderr
