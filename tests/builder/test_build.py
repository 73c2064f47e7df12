"""The steps of a build that need neither an engine nor a base image."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_agent.spec import BuiltDag, DagSpec, ImageRef
from leoflow_builder.build import write_built
from leoflow_builder.dagjson import dump_built
from leoflow_builder.failure import BuildError

BUILT = BuiltDag(DagSpec("etl", "3.11", ()), ImageRef("etl:1", None, "linux/amd64"))


def test_dag_json_replaces_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "dag.json").write_text("old")
    written = write_built(tmp_path, BUILT)
    assert written.read_bytes() == dump_built(BUILT)
    assert list(tmp_path.iterdir()) == [written]


def test_a_folder_that_cannot_be_written_to_is_told_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    for name in ("write_bytes", "unlink"):
        monkeypatch.setattr(Path, name, refuse)
    with pytest.raises(BuildError, match=r"dag\.json' cannot be written: Read-only .* writable"):
        write_built(tmp_path, BUILT)
