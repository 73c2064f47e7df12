"""What `leoflow cache` shows, and what its prune says and does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from leoflow_cli.cache_command import age
from leoflow_cli.main import cli
from leoflow_cli.outcome import InvalidInput

LONG_AGO = 1_000_000_000.0


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEOFLOW_HOME", str(tmp_path))
    return tmp_path / "cache"


def put(path: Path, used: float = LONG_AGO) -> None:
    path.mkdir(parents=True)
    (path / "content").write_bytes(b"x" * 2_000_000)
    for one in (path / "content", path):
        os.utime(one, (used, used))


def call(*arguments: str):
    return CliRunner().invoke(cli, ["cache", *arguments], catch_exceptions=False)


def test_each_kind_has_a_line_that_fits_a_narrow_terminal(cache: Path) -> None:
    put(cache / "bases" / "a")
    put(cache / "unheard-of" / "b")
    lines = call().stderr.splitlines()
    assert lines[0] == str(cache)
    assert lines[2].split()[:4] == ["bases", "1", "2.0", "MB"]
    assert lines[2].endswith("days ago  base images")
    assert lines[3].split()[:2] == ["unheard-of", "1"]
    assert lines[4].split()[:3] == ["2", "4.0", "MB"]
    assert max(map(len, lines[1:])) <= 80


def test_every_known_kind_fits_a_narrow_terminal(cache: Path) -> None:
    from leoflow_builder.cachestock import DESCRIPTIONS

    for kind in DESCRIPTIONS:
        put(cache / kind / "a")
    assert max(map(len, call().stderr.splitlines()[1:])) <= 80


def test_an_empty_cache_is_called_so(cache: Path) -> None:
    assert call().stderr.splitlines() == [str(cache), "  the cache is empty"]


def test_the_document_names_every_kind(cache: Path) -> None:
    put(cache / "dags" / "a")
    document = json.loads(call("--json").stdout)
    assert document["cache"] == str(cache)
    (kind,) = document["kinds"]
    assert (kind["kind"], kind["entries"], kind["last_used"]) == ("dags", 1, LONG_AGO)
    assert document["size_bytes"] == kind["size_bytes"] >= 2_000_000


def test_prune_says_what_is_gone(cache: Path) -> None:
    put(cache / "deps" / "a")
    put(cache / "deps" / "b")
    said = call("prune").stderr.splitlines()
    assert said[0].split() == ["deps", "2", "entries", "4.0", "MB"]
    assert said[-1] == "freed 4.0 MB"
    assert not (cache / "deps" / "a").exists()
    assert call("prune").stderr == "nothing to remove\n"


def test_a_dry_run_removes_nothing(cache: Path) -> None:
    put(cache / "deps" / "a")
    result = call("prune", "--dry-run", "--json")
    assert "would free 2.0 MB" in result.stderr
    document = json.loads(result.stdout)
    assert document["dry_run"] is True
    assert [Path(one["path"]).name for one in document["removed"]] == ["a"]
    assert (cache / "deps" / "a").exists()


def test_new_entries_go_only_with_all(cache: Path) -> None:
    (cache / "deps" / "a").mkdir(parents=True)
    assert call("prune").stderr == "nothing to remove\n"
    call("prune", "--all")
    assert not (cache / "deps" / "a").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--older-than", "30"], "--older-than '30' is no age"),
        (["--older-than", "1d", "--all"], "--all and --older-than exclude each other"),
        (["--kind", "wheel"], "--kind 'wheel' is none of the cache's. Did you mean 'wheels'?"),
        (["--kind", "xyzzy"], "There are agents, apt, bases"),
    ],
)
def test_what_makes_no_sense_is_refused(cache: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message.replace("?", r"\?")):
        call("prune", *arguments)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "just now"), (-5, "just now"), (60, "1 minute ago"), (7300, "2 hours ago")],
)
def test_ages_are_for_people(seconds: float, text: str) -> None:
    assert age(seconds) == text
