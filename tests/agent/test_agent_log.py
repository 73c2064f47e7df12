"""What a task prints: in the log, on the container's own output, and when either cannot take it."""

from __future__ import annotations


def test_bytes_that_are_not_utf8_and_lines_without_an_end_are_logged(agent):
    source = (
        "import os\ndef task():\n    os.write(1, b'\\xff\\xfe\\n')\n    os.write(1, b'no end')\n"
    )
    agent.run(source)
    assert agent.control_plane.log == "\ufffd\ufffd\nno end"


def test_a_flood_of_output_loses_lines_and_says_so_but_never_the_verdict(agent):
    agent.control_plane.script = lambda *_: (
        (503, b"") if not (agent.folder / "done").exists() else None
    )
    source = (
        "import os\ndef task():\n"
        "    for n in range(2000):\n        os.write(1, b'x' * 9999 + b'\\n')\n"
        "    open('done', 'w').close()\n"
    )
    ended = agent.run(source)
    assert ended.returncode == 0
    assert len(ended.stdout) == 2000 * 10_000
    assert "bytes of the log were dropped here" in agent.control_plane.log
    assert agent.control_plane.finished["state"] == "success"


def test_a_closed_stdout_is_no_failure(agent):
    ended = agent.run("import os\ndef task():\n    os.close(1)\n    return 1\n")
    assert agent.control_plane.finished["state"] == "success"
    assert ended.returncode == 0
