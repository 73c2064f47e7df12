"""The folder of a try's artifacts: readable where it can be, and one for each try."""

from __future__ import annotations

from pathlib import Path

from leoflow_controlplane.artifactfolder import artifact_folder
from leoflow_controlplane.model import TryKey

HOME = Path("/home/leoflow")


def test_the_folder_of_a_try_is_named_by_its_key() -> None:
    whole = artifact_folder(HOME, TryKey("etl", "one", "load", -1, 2))
    mapped = artifact_folder(HOME, TryKey("etl", "one", "load", 3, 2))

    assert str(whole) == "/home/leoflow/runs/etl/one/load/try-2"
    assert str(mapped) == "/home/leoflow/runs/etl/one/load/3/try-2"


def test_a_word_that_is_no_path_component_stays_within_the_folder_and_apart_from_others() -> None:
    words = ("..", ".", "", "a/b", "a-b", "manual__2026-01-01T00:00:00+00:00", "x" * 250 + "/")
    folders = [artifact_folder(HOME, TryKey("etl", word, "load", -1, 1)) for word in words]

    assert len(set(folders)) == len(words)
    for folder in folders:
        assert folder.parts[:5] == ("/", "home", "leoflow", "runs", "etl")
        assert len(folder.parts) == 8
        assert len(folder.parts[5]) <= 90
