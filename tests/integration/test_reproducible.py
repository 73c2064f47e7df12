"""The same project is the same image: elsewhere, later, by somebody else, from an empty cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from leoflow_builder.oci.presence import listed_in

# A cold build fetches all that its base is made of.
pytestmark = pytest.mark.timeout(1800)

EXAMPLES = Path(__file__).parents[2] / "examples"
PROJECTS = ("01-hello", "02-weather")
OTHERS = ("03-bash", "04-http", "05-conflict/new", "05-conflict/old")
SOMEBODY_ELSE = 4242
LEOFLOW = [sys.executable, "-c", "from leoflow_cli.entry import main; main()"]


def build(project: Path, home: Path, output: Path, as_user: list[str], umask: int) -> str:
    """Build into a layout; return the manifest's digest."""
    command = [*as_user, *LEOFLOW, "build", str(project), "--output", str(output), "--json"]
    environment = {**os.environ, "LEOFLOW_HOME": str(home), "HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, umask=umask, env=environment)
    assert done.returncode == 0, done.stderr
    document: Mapping[str, str] = json.loads(done.stdout)
    assert next(one["digest"] for one in listed_in(output)) == document["digest"]
    return document["digest"]


def checkout(name: str, place: Path, mode: int) -> Path:
    """Copy an example with the modes that another umask would give it, and other times."""
    copy = shutil.copytree(EXAMPLES / name, place, ignore=shutil.ignore_patterns("dag.json"))
    for path in (copy, *copy.rglob("*")):
        path.chmod(mode | (0o111 & mode >> 2) if path.is_dir() else mode)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return copy


def somebody_else() -> list[str]:
    """Return what runs a command as another user, who may read what this one may."""
    if os.geteuid() != 0:
        return []
    capability = "+dac_read_search"
    order = ["setpriv", f"--reuid={SOMEBODY_ELSE}", f"--regid={SOMEBODY_ELSE}", "--clear-groups"]
    return [*order, f"--inh-caps={capability}", f"--ambient-caps={capability}"]


def hand_over(folder: Path) -> None:
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, SOMEBODY_ELSE, SOMEBODY_ELSE, follow_symlinks=False)


@pytest.fixture(scope="module")
def cold_home() -> Iterator[Path]:
    """An empty LEOFLOW_HOME of somebody else's, for all examples, where anybody may go."""
    with tempfile.TemporaryDirectory(prefix="leoflow-cold-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        home.mkdir()
        hand_over(home)
        yield home


@pytest.mark.parametrize(
    "name", [*PROJECTS, *(pytest.param(name, marks=pytest.mark.long) for name in OTHERS)]
)
def test_two_checkouts_give_the_same_manifest(
    name: str, shared_home: Path, cold_home: Path, tmp_path: Path
) -> None:
    mine = checkout(name, tmp_path / "mine" / "project", 0o644)
    warm = build(mine, shared_home, tmp_path / "mine" / "out", [], 0o022)
    place = cold_home.parent / name.replace("/", "-")
    theirs = checkout(name, place / "a" / "deeper" / "folder", 0o600)
    hand_over(place)
    cold = build(theirs, cold_home, place / "out", somebody_else(), 0o077)
    assert cold == warm
