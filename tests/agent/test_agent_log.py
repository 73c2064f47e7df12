"""What a task prints: in the log, on the container's own output, and when either cannot take it."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

import pytest

PRINT = """\
import os
def task():
    for n in range(%d):
        os.write(1, b'x' * 9999 + b'\\n')
"""


def _wait_for(agent, text):
    end = time.monotonic() + 20
    while text not in agent.control_plane.log:
        assert time.monotonic() < end, agent.control_plane.events
        time.sleep(0.01)


def _end(process):
    """Wait without reading what it writes; return (exit code, peak memory in MiB)."""
    peak_mib = 0.0
    while process.poll() is None:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            found = re.search(r"VmHWM:\s+(\d+) kB", status)
            peak_mib = int(found[1]) / 1024 if found else peak_mib
        time.sleep(0.01)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    return process.returncode, peak_mib


def test_bytes_that_are_not_utf8_and_lines_without_an_end_are_logged(agent):
    source = (
        "import os\ndef task():\n    os.write(1, b'\\xff\\xfe\\n')\n    os.write(1, b'no end')\n"
    )
    agent.run(source)
    assert agent.control_plane.log == "\ufffd\ufffd\nno end"


def test_the_log_is_live_with_and_without_an_end_of_the_line(agent):
    source = "import os, time\ndef task():\n    os.write(1, b'a line\\nhow far: 10%')\n"
    process = agent.start(source + "    time.sleep(60)\n", grace_seconds=0.3)
    _wait_for(agent, "a line\n")
    _wait_for(agent, "how far: 10%")
    process.terminate()
    process.communicate(timeout=20)


def test_stdout_and_stderr_are_apart_and_before_the_verdict(agent):
    source = "import sys\ndef task():\n    print('out')\n    print('err', file=sys.stderr)\n"
    agent.run(source)
    logs = {event["stream"]: event["text"] for event in agent.control_plane.of_type("log")}
    assert logs == {"stdout": "out\n", "stderr": "err\n"}
    assert agent.control_plane.events[-1]["type"] == "finished"


def test_a_line_of_megabytes_arrives_in_pieces_and_no_character_is_cut(agent):
    source = "import os\ndef task():\n    os.write(1, ('a' + '€' * 1_000_000).encode())\n"
    ended = agent.run(source)
    assert agent.control_plane.log == "a" + "€" * 1_000_000 == ended.stdout
    assert len(agent.control_plane.of_type("log")) > 10


def test_both_streams_get_their_turn(agent):
    source = (
        "import os, threading, time\ndef task():\n"
        "    def flood():\n"
        "        for _ in range(400):\n            os.write(1, b'x' * 65535 + b'\\n')\n"
        "    thread = threading.Thread(target=flood)\n    thread.start()\n"
        "    for n in range(5):\n        os.write(2, b'tick %d\\n' % n)\n        time.sleep(0.02)\n"
        "    thread.join()\n"
    )
    agent.run(source)
    events = agent.control_plane.of_type("log")
    ticks = [place for place, event in enumerate(events) if event["stream"] == "stderr"]
    assert ticks[0] < len(events) / 2
    assert sum(len(event["text"]) for event in events) > 400 * 65536


def test_a_flood_that_the_control_plane_takes_loses_nothing(agent):
    """It is slower than the task, so the task has to wait; memory stays small."""
    source = PRINT % 5000
    with (agent.folder / "out").open("wb") as out:
        process = agent.start(source, stdout=out)
    code, peak_mib = _end(process)
    assert code == 0
    assert len(agent.control_plane.log) == 50_000_000
    assert (agent.folder / "out").stat().st_size == 50_000_000
    assert peak_mib < 64


def test_a_flood_with_no_control_plane_loses_lines_and_says_so_but_never_the_verdict(agent):
    agent.control_plane.script = lambda *_: (
        (503, b"") if not (agent.folder / "done").exists() else None
    )
    source = PRINT % 20_000 + "    open('done', 'w').close()\n"
    with (agent.folder / "out").open("wb") as out:
        process = agent.start(source, stdout=out)
    code, peak_mib = _end(process)
    assert code == 0
    assert (agent.folder / "out").stat().st_size == 20_000 * 10_000
    assert peak_mib < 64
    log = agent.control_plane.log
    lost = int(log.partition("leoflow: ")[2].partition(" bytes of the log were dropped here")[0])
    kept = sum(
        len(event["text"])
        for event in agent.control_plane.of_type("log")
        if event["stream"] == "stdout"
    )
    assert lost + kept == 20_000 * 10_000
    assert agent.control_plane.finished["state"] == "success"


@pytest.mark.parametrize("stream", ["stdout", "stderr", "both"])
def test_an_output_that_nobody_reads_holds_up_neither_task_nor_verdict(agent, stream):
    numbers = {"stdout": [1], "stderr": [2], "both": [1, 2]}[stream]
    source = (
        "import os\ndef task():\n"
        f"    for n in range(1000):\n        for fd in {numbers}:\n"
        "            os.write(fd, b'x' * 9999 + b'\\n')\n"
    )
    began = time.monotonic()
    process = agent.start(source)
    code, peak_mib = _end(process)
    assert code == 0
    assert time.monotonic() - began < 30
    assert len(agent.control_plane.log) == 10_000_000 * len(numbers)
    assert agent.control_plane.finished["state"] == "success"
    assert peak_mib < 64


def test_an_output_that_is_read_slowly_loses_nothing(agent):
    source = PRINT % 300
    process = agent.start(source)
    seen = 0
    while chunk := os.read(process.stdout.fileno(), 65536):
        seen += len(chunk)
        time.sleep(0.01)
    assert seen == 3_000_000
    assert _end(process)[0] == 0


def test_a_closed_stdout_is_no_failure(agent):
    ended = agent.run("import os\ndef task():\n    os.close(1)\n    return 1\n")
    assert agent.control_plane.finished["state"] == "success"
    assert ended.returncode == 0


def test_outputs_whose_reader_has_gone_are_no_failure(agent):
    process = agent.start("import time\ndef task():\n    time.sleep(0.3); print('x' * 100_000)\n")
    process.stdout.close()
    process.stderr.close()
    assert process.wait(timeout=20) == 0
    assert len(agent.control_plane.log) == 100_001


def test_bash_returns_a_last_line_that_came_in_pieces(agent):
    command = "printf one; sleep 0.8; printf two; sleep 0.8; echo three"
    agent.run(kind="bash", module=None, function=None, command=command)
    assert agent.control_plane.of_type("xcom")[0]["value"] == "onetwothree"


def test_a_last_line_over_the_limit_is_no_return_value(agent):
    command = "printf '%05000d' 7"
    ended = agent.run(
        kind="bash", module=None, function=None, command=command, xcom_limit_bytes=1000
    )
    assert ended.returncode == 122
    assert "longer than the limit of 1000 bytes" in agent.control_plane.finished["reason"]
