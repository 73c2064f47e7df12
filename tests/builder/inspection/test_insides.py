"""The DAG and the lock of any leoflow are read, and nothing is refused."""

import json

import pytest
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.inspection.insides import (
    PackageView,
    installed_packages,
    read_dag,
    read_packages,
    read_suite,
)

WHEEL = {"name": "pandas", "version": "2.2.3", "filename": "p.whl", "sha256": "a"}
DEB = {"name": "libc6", "version": "2.36", "architecture": "amd64", "sha256": "b"}


def packages(document: object, platform: str = "linux/amd64") -> list[tuple[str, str]] | None:
    found = read_packages(json.dumps(document).encode(), platform)
    return None if found is None else [(one.origin, one.name) for one in found]


def test_a_lock_of_schema_1_is_for_one_platform() -> None:
    assert packages({"schema_version": 1, "packages": [WHEEL]}) == [("pypi", "pandas")]


def test_a_lock_of_schema_2_is_read_for_the_image_s_platform() -> None:
    target = {"base": {"name": "b", "debs": [DEB]}, "system": [{**DEB, "name": "gdal"}]}
    targets = {"linux/amd64": {**target, "packages": [WHEEL]}, "linux/arm64": {"packages": []}}
    lock = {"schema_version": 2, "targets": {**targets, "host/linux/amd64": {"packages": [DEB]}}}
    found = packages(lock)
    assert found == [("debian", "gdal"), ("debian", "libc6"), ("pypi", "pandas")]
    assert packages(lock, "linux/arm64/v8") == []


def test_a_package_keeps_what_an_sbom_needs() -> None:
    lock = {"schema_version": 1, "packages": [WHEEL]}
    (wheel,) = read_packages(json.dumps(lock).encode(), "linux/amd64") or ()
    assert wheel == PackageView("pypi", "pandas", "2.2.3", "p.whl", "a")
    assert DebPackage(**DEB).name == "libc6"


@pytest.mark.parametrize(
    "content", [b"", b"[", b"[]", b"{}", b"null", b"[" * 100_000, b"\xff", b'{"packages": 3}']
)
def test_what_is_no_lock_and_no_dag_is_none(content: bytes) -> None:
    assert read_packages(content, "linux/amd64") is None
    assert read_dag(content) is None


@pytest.mark.parametrize("packages", [None, 3, {}, [3], [{}], [{"name": "a"}]])
def test_a_lock_with_something_odd_in_it_is_read_as_far_as_possible(packages: object) -> None:
    document = {"schema_version": 9, "packages": packages}
    assert read_packages(json.dumps(document).encode(), "linux/amd64") == ()


def test_a_dag_of_a_later_leoflow_is_read_as_far_as_it_is_known() -> None:
    dag = {"dag_id": "a", "tasks": [{"task_id": "t", "action": {"kind": "new"}, "more": 1}, 3]}
    view = read_dag(json.dumps({**dag, "schema_version": 7}).encode())
    assert view is not None
    assert [(task.task_id, task.kind) for task in view.tasks] == [("t", "new"), ("?", "?")]


def test_installed_wheels_are_known_by_their_metadata() -> None:
    paths = [
        "usr/local/lib/python3.11/dist-packages/ruamel.yaml-0.18.6.dist-info/METADATA",
        "usr/local/lib/python3.11/dist-packages/ruamel.yaml-0.18.6.dist-info/RECORD",
        "opt/venv/lib/python3.11/site-packages/Foo_Bar-1!2.0.dist-info/METADATA",
        "opt/leoflow/dag/notes-1.0.dist-info/METADATA",
    ]
    assert [(one.name, one.version) for one in installed_packages(paths)] == [
        ("foo-bar", "1!2.0"),
        ("ruamel-yaml", "0.18.6"),
    ]


@pytest.mark.parametrize(
    ("release", "suite"),
    [
        (b'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian"', "bookworm"),
        (b'ID="debian"\nVERSION_CODENAME="trixie"', "trixie"),
        (b"ID=ubuntu\nVERSION_CODENAME=noble", None),
        (b"ID=debian", None),
        (b"", None),
    ],
)
def test_the_release_of_debian_is_read(release: bytes, suite: str | None) -> None:
    assert read_suite(release) == suite
