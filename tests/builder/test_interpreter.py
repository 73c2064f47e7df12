"""What code that is run by an interpreter sees, and how it is ended."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from leoflow_builder.bytecode import compile_sources, sources_below
from leoflow_builder.interpreter import HostInterpreter, Interpreter, RootfsInterpreter


@pytest.fixture
def python() -> Interpreter:
    return HostInterpreter(Path(sys.executable))


def printed(python: Interpreter, code: str, *path: Path) -> str:
    done = python.run(["-c", code], path=path, timeout_seconds=30)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def test_output_errors_and_exit_code_come_back(python: Interpreter) -> None:
    code = "import sys; print(sys.stdin.read()); sys.exit('bad')"
    done = python.run(["-c", code], stdin=b"given", timeout_seconds=30)
    assert (done.stdout, done.stderr, done.returncode) == (b"given\n", b"bad\n", 1)


def test_without_input_standard_input_is_empty(python: Interpreter) -> None:
    assert printed(python, "import sys; print(repr(sys.stdin.read()))") == "''"


def test_nothing_of_the_environment_leaks(
    python: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "x")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    code = "import os, sys; print('A_SECRET' in os.environ, '/somewhere' in sys.path)"
    assert printed(python, code) == "False False"


def test_given_variables_win(python: Interpreter) -> None:
    code = "import os; print(os.environ['TZ'])"
    done = python.run(["-c", code], env={"TZ": "Asia/Tokyo"}, timeout_seconds=30)
    assert done.stdout == b"Asia/Tokyo\n"


def test_the_time_zone_is_utc_and_text_is_utf8(python: Interpreter) -> None:
    code = "import time, sys; print(time.tzname[0], sys.stdout.encoding, sys.stdin.encoding)"
    assert printed(python, code) == "UTC utf-8 utf-8"


def test_packages_installed_for_leoflow_are_out_of_sight(python: Interpreter) -> None:
    code = "import importlib.util; print(importlib.util.find_spec('pytest'))"
    assert printed(python, code) == "None"


def test_the_path_comes_after_the_standard_library(python: Interpreter, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    (tmp_path / "extra.py").write_text("value = 7")
    assert printed(python, "import json, extra; print(extra.value)", tmp_path) == "7"


def test_pth_files_in_the_path_count(python: Interpreter, tmp_path: Path) -> None:
    (tmp_path / "it's here").mkdir()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "extra.py").write_text("value = 8")
    (tmp_path / "it's here" / "more.pth").write_text(f"{tmp_path / 'more'}\n")
    assert printed(python, "import extra; print(extra.value)", tmp_path / "it's here") == "8"


def test_the_working_directory_is_the_given_or_an_empty_one(
    python: Interpreter, tmp_path: Path
) -> None:
    code = "import os; print(os.getcwd())"
    assert python.run(["-c", code], cwd=tmp_path, timeout_seconds=30).stdout.decode().strip() == (
        str(tmp_path)
    )
    assert printed(python, code) != str(Path.cwd())


def test_at_the_time_limit_the_whole_group_is_killed(python: Interpreter) -> None:
    code = (
        "import subprocess, sys, time; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
        "print(child.pid, flush=True); time.sleep(60)"
    )
    started = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired) as late:
        python.run(["-c", code], timeout_seconds=2)
    assert time.monotonic() - started < 20
    assert is_gone(int(late.value.output))


def is_gone(pid: int) -> bool:
    """Tell whether a process ended, be it reaped or not yet."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_program_without_a_version_in_its_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "snake").touch()
    with pytest.raises(ValueError, match="snake"):
        HostInterpreter(tmp_path / "snake")


def test_a_folder_without_a_loader_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no program loader for this machine"):
        RootfsInterpreter(tmp_path)


def test_bytecode_is_the_same_each_time_and_knows_the_path_inside(
    python: Interpreter, tmp_path: Path
) -> None:
    written = []
    for name in ("one", "two"):
        root = tmp_path / name
        (root / "package").mkdir(parents=True)
        for number in range(6):
            source = f"names = {{'a', 'b', {number}}}\ndef f(): return {{1, 'x', None}}\n"
            (root / "package" / f"m{number}.py").write_text(source)
        assert compile_sources(python, root, "/inside", sources_below(root)) == {}
        written.append({p.name: p.read_bytes() for p in root.rglob("*.pyc")})
    assert written[0] == written[1]
    assert len(written[0]) == 6
    assert all(b"/inside/package/m" in code for code in written[0].values())
    assert all(str(tmp_path).encode() not in code for code in written[0].values())


def test_sources_that_are_no_python_are_told_and_stop_nothing(
    python: Interpreter, tmp_path: Path
) -> None:
    (tmp_path / "bad.py").write_text("print 'old'")
    (tmp_path / "good.py").write_text("pass")
    failed = compile_sources(python, tmp_path, "/x", ["bad.py", "good.py"])
    assert list(failed) == ["bad.py"]
    assert "/x/bad.py" in failed["bad.py"]
    assert [p.name.split(".")[0] for p in tmp_path.rglob("*.pyc")] == ["good"]
