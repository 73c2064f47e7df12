"""Base images and system layers made for real out of Debian's packages, and used."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from leoflow_builder.agentlayer import ensure_agent
from leoflow_builder.aptindex import UnknownPackage
from leoflow_builder.baseimage import BaseImage, ensure_base
from leoflow_builder.debarchive import DebCache, extract
from leoflow_builder.depslayer import Installation
from leoflow_builder.interpreter import RootfsInterpreter
from leoflow_builder.recipe import host_architecture, load_recipe
from leoflow_builder.systemlayer import ensure_system

# Of the standard library of 3.11: what only other systems have, what Debian or the recipe leaves
# out, and two that show off when they are imported.
ELSEWHERE = {"_dbm", "_gdbm", "_msi", "_overlapped", "_scproxy", "_winapi"}
ELSEWHERE |= {"msilib", "msvcrt", "nt", "winreg", "winsound", "antigravity", "this"}
EXAMINE = """
import codecs, importlib, importlib.util, inspect, json, locale, os, pathlib, pwd, socket, ssl, sys
import tempfile, zoneinfo
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
    "source": inspect.getsource(json.loads)[:10],
    "table": codecs.decode(bytes([128]), "cp1252"),
    "docstring": json.loads.__doc__[:11],
    "user": pwd.getpwuid(os.getuid()).pw_name, "home": os.path.expanduser("~"),
    "writable": [os.access(p, os.W_OK) for p in (os.path.expanduser("~"), tempfile.gettempdir())],
    "localhost": socket.gethostbyname("localhost"),
    "path": sys.path,
}))
"""


@pytest.fixture(scope="module")
def base(shared_home: Path) -> BaseImage:
    return ensure_base("3.11", shared_home, print)


@pytest.fixture
def load() -> Iterator[list[str]]:
    """Give the list of images to remove at the end."""
    images: list[str] = []
    yield images
    for image in images:
        subprocess.run(["docker", "image", "rm", "--force", image], check=True, capture_output=True)


def image_of(images: list[str], *trees: Path) -> str:
    """Make an image of folders, one over the other."""
    tag = f"leoflow-test-base:{uuid4().hex}"
    copies = "".join(f"COPY --from=part{number} . /\n" for number in range(len(trees)))
    contexts = [f"--build-context=part{number}={tree}" for number, tree in enumerate(trees)]
    command = ["docker", "buildx", "build", "--load", "--tag", tag, *contexts, "-"]
    text = f"FROM scratch\n{copies}USER 65532:65532\n"
    done = subprocess.run(command, input=text, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    images.append(tag)
    return tag


def in_container(image: str, *command: str) -> "subprocess.CompletedProcess[str]":
    options = ["--rm", "--network=none", "--tmpfs", "/home/leoflow:uid=65532"]
    return subprocess.run(
        ["docker", "run", *options, image, *command], capture_output=True, text=True
    )


def absent() -> str:
    return json.dumps(sorted(ELSEWHERE | set(load_recipe("3.11", "amd64").absent_modules)))


def test_a_second_call_makes_nothing_and_takes_the_newest(
    base: BaseImage, shared_home: Path
) -> None:
    said: list[str] = []
    again = ensure_base("3.11", shared_home, said.append)
    assert (again.key, again.layer.digest) == (base.key, base.layer.digest)
    assert said == []


@pytest.mark.long
def test_pins_give_the_same_bytes_from_a_cold_and_a_warm_cache_under_any_umask(
    base: BaseImage, shared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold = ensure_base("3.11", tmp_path / "cold", print, pins=base.debs, strict=True)
    (tmp_path / "warm" / "cache").mkdir(parents=True)
    (tmp_path / "warm" / "cache" / "debs").symlink_to(shared_home.absolute() / "cache" / "debs")
    monkeypatch.setenv("LEOFLOW_DEBIAN_MIRROR", "http://127.0.0.1:1")
    before = os.umask(0o077)
    try:
        warm = ensure_base("3.11", tmp_path / "warm", print, pins=base.debs, strict=True)
    finally:
        os.umask(before)
    assert cold.layer.digest == warm.layer.digest == base.layer.digest
    assert cold.debs == warm.debs == base.debs


def test_the_base_is_slim(base: BaseImage) -> None:
    assert base.layer.unpacked_bytes < 44_500_000
    assert base.layer.size_bytes < 12_200_000


def test_base_and_agent_together_keep_the_budget(base: BaseImage, shared_home: Path) -> None:
    place = Installation(base.python, base.site_packages)
    interpreter = RootfsInterpreter(base.rootfs)
    agent = ensure_agent(base.python_version, place, interpreter, shared_home).layer
    assert base.layer.unpacked_bytes + agent.unpacked_bytes < 45_000_000
    assert base.layer.size_bytes + agent.size_bytes < 12_500_000


def test_the_facts_are_those_of_the_packages(base: BaseImage) -> None:
    versions = {one.name: one.version for one in base.packages}
    assert versions["python3.11-minimal"].startswith(base.python_version)
    assert versions["libc6"].startswith(base.glibc)
    assert {"bash", "coreutils", "grep"} <= {one.name for one in base.debs} - set(versions)


def test_every_package_that_is_fetched_brings_something(
    base: BaseImage, shared_home: Path, tmp_path: Path
) -> None:
    cache, recipe = DebCache(shared_home), load_recipe("3.11", base.architecture)
    wanted = {one.name: extract(cache.path(one), tmp_path, recipe.wants) for one in base.packages}
    idle = {name for name, paths in wanted.items() if not paths}
    # Certificates become a bundle; and what comes of GCC has its licence in gcc-12-base.
    assert idle == {"ca-certificates", "gcc-12-base"}


def test_no_shell_package_tool_or_documentation_is_left(base: BaseImage) -> None:
    programs = {path.name for path in (base.rootfs / "usr/bin").iterdir()}
    assert programs == {"python", "python3", "python3.11"}
    for place in ("usr/share/man", "usr/share/locale", "var/lib/dpkg", "etc/apt", "usr/sbin"):
        assert not (base.rootfs / place).exists()


def test_without_a_container_its_python_finds_only_its_own(base: BaseImage) -> None:
    code = "import sys, numbers; print(sys.version_info[:2], sys.prefix, numbers.__file__)"
    done = RootfsInterpreter(base.rootfs).run(["-c", code], timeout_seconds=30)
    prefix = base.rootfs / "usr"
    assert done.stdout.decode() == f"(3, 11) {prefix} {prefix}/lib/python3.11/numbers.py\n"


def test_a_library_that_only_the_host_has_is_not_found(base: BaseImage) -> None:
    """Every Debian has libacl, and the base has not."""
    code = "import ctypes; ctypes.CDLL('libacl.so.1')"
    done = RootfsInterpreter(base.rootfs).run(["-c", code], timeout_seconds=30)
    assert b"cannot open shared object file" in done.stderr


def test_a_system_library_is_found_while_a_dag_is_read(base: BaseImage, shared_home: Path) -> None:
    system = ensure_system(["libgomp1"], base, shared_home, print, shell=False)
    code = "import ctypes; print(ctypes.CDLL('libgomp.so.1').omp_get_max_threads() > 0)"
    python = RootfsInterpreter(base.rootfs, [system.folder.tree])
    assert python.run(["-c", code], timeout_seconds=30).stdout == b"True\n"


def test_an_unknown_system_package_is_told_with_a_hint(base: BaseImage, shared_home: Path) -> None:
    with pytest.raises(UnknownPackage, match=r"no package 'libpq55'\. Did you mean 'libpq5'\?"):
        ensure_system(["libgomp1", "libpq55"], base, shared_home, print, shell=False)


@pytest.mark.engine
def test_in_a_container_the_whole_standard_library_works(base: BaseImage, load: list[str]) -> None:
    done = in_container(image_of(load, base.rootfs), base.python, "-I", "-c", EXAMINE, absent())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("sources") > 400
    assert found.pop("certificates") > 100
    assert base.site_packages in found.pop("path")
    assert found == {
        "broken": [],
        "lacking": [],
        "locale": "C.UTF-8",
        "zone": "US/Eastern",
        "code": "/usr/lib/python3.11/json/__init__.py",
        "source": "def loads(",
        "table": "€",
        "docstring": "Deserialize",
        "user": "leoflow",
        "home": "/home/leoflow",
        "writable": [True, True],
        "localhost": "127.0.0.1",
    }


@pytest.mark.engine
def test_a_shell_with_coreutils_and_grep(
    base: BaseImage, shared_home: Path, load: list[str]
) -> None:
    shell = ensure_system((), base, shared_home, print, shell=True).folder
    script = (
        "set -euo pipefail; seq 3 | grep 2 | sort | tee /tmp/x; expr 2 + 2; id -un; date -u +%Z"
    )
    done = in_container(image_of(load, base.rootfs, shell.tree), "sh", "-c", script)
    assert done.stdout.split() == ["2", "4", "leoflow", "UTC"], done.stderr
    assert shell.layer.unpacked_bytes < 9_500_000


@pytest.mark.engine
def test_a_task_can_use_system_packages(
    base: BaseImage, shared_home: Path, load: list[str]
) -> None:
    names = ["git", "libpq5", "libblas3"]
    system = ensure_system(names, base, shared_home, print, shell=False).folder
    code = (
        "import ctypes, subprocess; ctypes.CDLL('libpq.so.5'); ctypes.CDLL('libblas.so.3');"
        "print(subprocess.run(['git', '--version'], capture_output=True, text=True).stdout);"
        "subprocess.run(['git', 'init', '-q', '/tmp/x'], check=True)"
    )
    done = in_container(image_of(load, base.rootfs, system.tree), base.python, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("git version 2.")


@pytest.mark.engine
def test_wheels_with_compiled_code_work(base: BaseImage, load: list[str], tmp_path: Path) -> None:
    wheels = ["numpy", "pydantic", "cryptography"]  # pandas is in an example
    options = ["--python-version=3.11", "--only-binary=:all:", "--platform=manylinux_2_28_x86_64"]
    options += ["--platform=manylinux2014_x86_64", "--implementation=cp"]
    site = tmp_path / base.site_packages.lstrip("/")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
    command += ["--target", str(site)]
    subprocess.run([*command, *options, *wheels], check=True, capture_output=True)
    code = (
        "import numpy, pydantic; from cryptography.fernet import Fernet;"
        "key = Fernet(Fernet.generate_key()); print(key.decrypt(key.encrypt(b'x')).decode(),"
        "numpy.arange(4).sum(),"
        "pydantic.TypeAdapter(int).validate_python('7'))"
    )
    done = in_container(image_of(load, base.rootfs, tmp_path), base.python, "-c", code)
    assert done.stdout.split() == ["x", "6", "7"], done.stderr


@pytest.mark.long
def test_a_base_of_another_architecture_is_made_here(shared_home: Path) -> None:
    other = "arm64" if host_architecture() == "amd64" else "amd64"
    base = ensure_base("3.11", shared_home, print, architecture=other)
    assert base.architecture == other
    assert base.python_version.startswith("3.11.")
    assert base.glibc == "2.36"
    assert list(base.rootfs.glob("usr/lib/python3.11/json/__pycache__/*.cpython-311.pyc"))
