"""Who is alive in a home, and what the dead leave."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from leoflow_controlplane.instance import open_instance

KILLED = """
import sys, time
from pathlib import Path
from leoflow_controlplane.instance import open_instance
instance = open_instance(Path(sys.argv[1]))
folder = Path(sys.argv[1]) / "outside"
folder.mkdir()
instance.note_folder(folder)
print(instance.id, flush=True)
time.sleep(1000)
"""


def test_instances_of_a_home_share_its_id_only(tmp_path: Path) -> None:
    one, two = open_instance(tmp_path), open_instance(tmp_path)
    assert one.home_id == two.home_id
    assert one.id != two.id
    one.close()
    two.close()


def test_an_open_instance_is_alive_to_others(tmp_path: Path) -> None:
    one, two = open_instance(tmp_path), open_instance(tmp_path)
    assert two.is_alive(one.id)
    assert two.sweep() == []
    one.close()
    assert not two.is_alive(one.id)
    two.close()


def test_looking_does_not_take_the_lock(tmp_path: Path) -> None:
    one, two, three = (open_instance(tmp_path) for _ in range(3))
    assert two.is_alive(one.id)
    assert three.is_alive(one.id)
    for instance in (one, two, three):
        instance.close()


def test_what_a_killed_process_left_is_swept_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        dead = process.stdout.readline().strip()
        process.send_signal(signal.SIGKILL)
    with_us = open_instance(tmp_path)
    assert not with_us.is_alive(dead)
    assert with_us.sweep() == [dead]
    assert with_us.sweep() == []
    assert not (tmp_path / "outside").exists()
    with_us.close()


def test_a_closed_instance_leaves_nothing(tmp_path: Path) -> None:
    open_instance(tmp_path).close()
    assert not list((tmp_path / "instances").iterdir())
