"""Kills a control plane at its first commit, at its second, and so on: see `main`."""

from __future__ import annotations

import json
import sys
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from behaviour import make_crash_dag, make_small_dag
from ending import check
from fatal import Fate
from launcher import Errand, live
from leoflow_controlplane.controlplane import DATABASE_NAME

KINDS = ("before", "after")
DAGS = {"crash": make_crash_dag, "small": make_small_dag}


def main(folder: str, world: str, port: str, dag_id: str, part: str, parts: str) -> None:
    """Kill one control plane before and one after each commit that a run of a DAG takes, and let
    another one end what it had begun. Each has a home of its own; tells how many were killed.

    Of the commits it takes those of one part, from 1 to ``parts``; all parts have each of them.
    """
    dag, killed = DAGS[dag_id](), 0
    for number in count(int(part), int(parts)):
        dead = []
        for kind in KINDS:
            name = f"{kind}-{number}"
            home = Path(folder) / name
            home.mkdir()
            errand = Errand(home, Path(world), int(port), dag, name)
            dead.append(live(errand, Fate(kind, number)))
            if dead[-1]:
                live(errand, Fate())
            check(f"sqlite:///{home / DATABASE_NAME}", Path(world), dag, [name])
        killed += sum(dead)
        if not any(dead):
            break
    print(json.dumps({"killed": killed}))


if __name__ == "__main__":
    main(*sys.argv[1:])
