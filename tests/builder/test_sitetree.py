"""pex's flat tree becomes what pip would have installed."""

import csv
from pathlib import Path

import pytest
from leoflow_builder.sitetree import arrange, has_pth

PYTHON = "/usr/bin/python3.11"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A tree with one distribution that has all that is unusual."""
    files = {
        "tool/__init__.py": "x = 1",
        "tool/__pycache__/__init__.cpython-39.pyc": "old",
        "tool-1.dist-info/INSTALLER": "pex",
        "tool-1.dist-info/REQUESTED": "",
        "tool-1.dist-info/direct_url.json": "{}",
        "tool-1.dist-info/METADATA": "Name: tool",
        "tool-1.dist-info/RECORD": (
            "tool-1.dist-info/RECORD,,\n"
            "tool/__init__.py,sha256=x,5\n"
            "tool/__pycache__/__init__.cpython-39.pyc,,\n"
            "tool-1.dist-info/INSTALLER,sha256=y,3\n"
            "tool-1.dist-info/REQUESTED,,\n"
            "tool-1.dist-info/direct_url.json,,\n"
            "bin/tool,sha256=z,9\n"
            '"share/a, b",sha256=z,9\n'
        ),
        "bin/tool": "#!python\nprint(1)\n",
        "bin/shell": "#!/bin/sh\n",
        "share/a, b": "data",
    }
    for name, text in files.items():
        path = site(tmp_path) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def site(prefix: Path) -> Path:
    return prefix / "lib/python3.11/dist-packages"


def record(prefix: Path) -> dict[str, list[str]]:
    with (site(prefix) / "tool-1.dist-info/RECORD").open(newline="") as file:
        return {row[0]: row[1:] for row in csv.reader(file)}


def test_scripts_and_data_move_to_the_prefix(prefix: Path) -> None:
    arrange(site(prefix), prefix, PYTHON)
    assert (prefix / "share/a, b").read_text() == "data"
    assert sorted(path.name for path in site(prefix).iterdir()) == ["tool", "tool-1.dist-info"]


def test_scripts_are_started_by_the_image_s_interpreter(prefix: Path) -> None:
    arrange(site(prefix), prefix, PYTHON)
    assert (prefix / "bin/tool").read_text() == "#!/usr/bin/python3.11\nprint(1)\n"
    assert (prefix / "bin/tool").stat().st_mode & 0o777 == 0o755
    assert (prefix / "bin/shell").read_text() == "#!/bin/sh\n"


def test_the_record_lists_what_is_there_and_where(prefix: Path) -> None:
    arrange(site(prefix), prefix, PYTHON)
    assert set(record(prefix)) == {
        "../../../bin/tool",
        "../../../share/a, b",
        "tool-1.dist-info/RECORD",
        "tool/__init__.py",
    }


def test_the_record_has_the_hash_of_the_changed_script(prefix: Path) -> None:
    arrange(site(prefix), prefix, PYTHON)
    digest, size = record(prefix)["../../../bin/tool"]
    assert size == str((prefix / "bin/tool").stat().st_size)
    assert digest == "sha256=QvHhdaTgSJkIQ92Rr6LcwSUDNjlOuckIZ28RlpVqWRU"


def test_what_the_installer_notes_for_itself_is_gone(prefix: Path) -> None:
    arrange(site(prefix), prefix, PYTHON)
    left = [path.name for path in (site(prefix) / "tool-1.dist-info").iterdir()]
    assert sorted(left) == ["METADATA", "RECORD"]


def test_bytecode_from_elsewhere_is_gone(prefix: Path) -> None:
    arrange(site(prefix), prefix, PYTHON)
    assert not list(site(prefix).rglob("*.pyc"))


def test_a_package_called_like_a_prefix_folder_stays(prefix: Path) -> None:
    (site(prefix) / "share/__init__.py").touch()
    arrange(site(prefix), prefix, PYTHON)
    assert (site(prefix) / "share/a, b").exists()


def test_scripts_that_end_in_py_move_as_well(prefix: Path) -> None:
    (site(prefix) / "bin/jp.py").write_text("#!/usr/bin/python\n")
    arrange(site(prefix), prefix, PYTHON)
    assert (prefix / "bin/jp.py").read_text() == "#!/usr/bin/python3.11\n"


def test_a_shell_s_detour_to_a_long_path_is_undone(prefix: Path) -> None:
    detour = "#!/bin/sh\n'''exec' \"/a b/python\" \"$0\" \"$@\"\n' '''\nprint(2)\n"
    (site(prefix) / "bin/tool").write_text(detour)
    arrange(site(prefix), prefix, PYTHON)
    assert (prefix / "bin/tool").read_text() == "#!/usr/bin/python3.11\nprint(2)\n"


def test_empty_folders_are_gone(prefix: Path) -> None:
    (site(prefix) / "tool/empty/inner").mkdir(parents=True)
    arrange(site(prefix), prefix, PYTHON)
    assert not (site(prefix) / "tool/empty").exists()


def test_pth_files_are_noticed(prefix: Path) -> None:
    assert not has_pth(site(prefix))
    (site(prefix) / "x.pth").touch()
    assert has_pth(site(prefix))
