"""The project that ``leoflow init`` writes: it builds and runs as it is."""

from __future__ import annotations

import re
from pathlib import Path

from leoflow_builder.identifier import check_id
from leoflow_builder.problem import Problem, ProjectError

_DAG = '''\
"""A DAG of two tasks: each runs in a container of its own."""

from leoflow import dag, task


@task
def extract() -> list[int]:
    return [1, 2, 3]


@task(retries=2)
def total(numbers: list[int]) -> int:
    print("adding", numbers)
    return sum(numbers)


@dag(dag_id="{dag_id}")
def project():
    total(extract())


project()
'''

_SETTINGS = """\
python_version: "3.11"

# What pip would install; `leoflow build` locks the exact versions in leoflow.lock.
dependencies: []

defaults:
  resources:
    requests: {cpu: 100m, memory: 64Mi}
  retry_delay_seconds: 10
  execution_timeout_seconds: 600

# tasks:
#   total: {resources: {requests: {memory: 256Mi}}}
"""

_IGNORED = "__pycache__/\ndag.json\n"


def create_project(folder: Path, dag_id: str | None = None) -> list[Path]:
    """Write a new project to ``folder`` and return its files.

    ``dag_id`` is made of the folder's name where it is None. Raises ProjectError if the folder is
    not empty or the dag_id is not valid; nothing is written then.
    """
    folder = folder.absolute()
    chosen = _id_from(folder.name) if dag_id is None else _checked(dag_id)
    _refuse_content(folder)
    files = {
        "dag.py": _DAG.replace("{dag_id}", chosen),
        "leoflow.yaml": _SETTINGS,
        ".gitignore": _IGNORED,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def _id_from(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.\-]+", "_", name).strip("_")[:250] or "project"


def _checked(dag_id: str) -> str:
    try:
        return check_id(dag_id)
    except ValueError as error:
        raise ProjectError([Problem("dag.py", None, f"dag_id {error}")]) from None


def _refuse_content(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ProjectError([Problem(str(folder), None, "is a file: name a new folder")])
    found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if found:
        shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
        message = f"is not empty, it holds {shown}: name a new folder, or empty this one"
        raise ProjectError([Problem(str(folder), None, message)])
