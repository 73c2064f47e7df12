"""What is in the cache, and what prune takes of it."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder import cachestock
from leoflow_builder.cache import ensure_folder
from leoflow_builder.cachehold import hold
from leoflow_builder.cachestock import Choice, Entry, File, prune, take_stock
from leoflow_builder.scratch import scratch_folder

LONG_AGO = 1_000_000_000.0
BETWEEN = 1_500_000_000.0
ROUNDS = 50


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    made = tmp_path / "cache"
    made.mkdir()
    return made


def put(path: Path, used: float = LONG_AGO, size: int = 10_000) -> Path:
    path.mkdir(parents=True)
    (path / "content").write_bytes(b"x" * size)
    return use_at(path, used)


def use_at(path: Path, used: float) -> Path:
    for one in [*path.rglob("*"), path]:
        os.utime(one, (used, used))
    return path


def names(cache: Path) -> list[str]:
    return sorted(path.relative_to(cache).as_posix() for path in cache.glob("*/*"))


def test_kinds_are_counted_and_the_unknown_ones_come_last(cache: Path) -> None:
    put(cache / "wheels" / "a")
    put(cache / "wheels" / "b", BETWEEN)
    put(cache / "bases" / "c")
    put(cache / "news" / "d")
    (cache / "bases" / ".lock").touch()
    (cache / "wheels" / "a.lock").touch()
    stock = take_stock(cache)
    assert [(one.kind, len(one.entries)) for one in stock] == [
        ("bases", 1),
        ("wheels", 2),
        ("news", 1),
    ]
    assert stock[1].last_used == BETWEEN
    assert stock[1].description == "unpacked wheels"
    assert stock[2].description == ""


def test_there_may_be_no_cache_yet(tmp_path: Path) -> None:
    assert take_stock(tmp_path / "cache") == []
    assert prune(tmp_path / "cache", Choice(time.time())).removed == ()


def test_files_count_once_however_many_names_they_have(cache: Path) -> None:
    wheel = put(cache / "wheels" / "a", size=1_000_000)
    (cache / "deps" / "b").mkdir(parents=True)
    os.link(wheel / "content", cache / "deps" / "b" / "content")
    wheels, deps = take_stock(cache)
    assert wheels.size_bytes >= 1_000_000
    assert deps.size_bytes < 100_000


def test_what_other_tools_keep_is_one_entry_as_old_as_the_newest_file(cache: Path) -> None:
    put(cache / "pex" / "downloads" / "one", LONG_AGO)
    put(cache / "pex" / "downloads" / "two", BETWEEN)
    for folder in (cache / "pex" / "downloads", cache / "pex"):
        os.utime(folder, (LONG_AGO, LONG_AGO))
    (shelf,) = take_stock(cache)
    assert [(one.path, one.last_used) for one in shelf.entries] == [(cache / "pex", BETWEEN)]
    assert prune(cache, Choice(BETWEEN)).removed == ()
    prune(cache, Choice(BETWEEN + 1))
    assert not (cache / "pex").exists()


def test_reading_a_file_of_an_entry_is_using_it(cache: Path) -> None:
    base = put(cache / "bases" / "a")
    os.utime(base / "content", (BETWEEN, LONG_AGO))
    (shelf,) = take_stock(cache)
    assert shelf.last_used == BETWEEN


def test_only_what_is_old_is_removed_with_its_lock(cache: Path) -> None:
    put(cache / "deps" / "old")
    put(cache / "deps" / "new", BETWEEN + 1)
    (cache / "deps" / "old.lock").touch()
    (cache / "deps" / "new.lock").touch()
    done = prune(cache, Choice(BETWEEN))
    assert [entry.path.name for entry in done.removed] == ["old"]
    assert names(cache) == ["deps/.users", "deps/new", "deps/new.lock"]


def test_files_are_entries_too(cache: Path) -> None:
    (cache / "images").mkdir()
    for name in ("old.json", "new.json"):
        (cache / "images" / name).write_text("{}")
    use_at(cache / "images" / "old.json", LONG_AGO)
    prune(cache, Choice(BETWEEN))
    assert names(cache) == ["images/.users", "images/new.json"]


def test_a_dry_run_says_the_same_and_removes_nothing(cache: Path) -> None:
    put(cache / "deps" / "old")
    (cache / "deps" / "gone.lock").touch()
    said = prune(cache, Choice(BETWEEN, dry_run=True))
    assert (cache / "deps" / "old" / "content").exists()
    assert (cache / "deps" / "gone.lock").exists()
    done = prune(cache, Choice(BETWEEN))
    assert (done.freed_bytes, done.leftovers) == (said.freed_bytes, said.leftovers)
    assert done.freed_bytes >= 10_000


def test_only_the_kinds_that_are_named_are_pruned(cache: Path) -> None:
    put(cache / "deps" / "a")
    put(cache / "dags" / "b")
    prune(cache, Choice(BETWEEN, kinds=("dags",)))
    assert (cache / "deps" / "a").exists()
    assert not (cache / "dags" / "b").exists()


def test_what_is_in_use_stays_and_is_told(cache: Path) -> None:
    used = put(cache / "deps" / "used")
    hold(used)
    use_at(used, LONG_AGO)
    done = prune(cache, Choice(time.time()))
    assert ([one.path for one in done.in_use], done.removed) == ([used], ())
    assert (used / "content").exists()


def test_a_build_that_asks_for_it_makes_it_anew(cache: Path) -> None:
    put(cache / "deps" / "key")
    prune(cache, Choice(BETWEEN))
    assert ensure_folder(cache / "deps", "key", lambda new: (new / "x").touch())[1] is False


def test_what_killed_builds_left_goes_and_what_living_ones_work_on_stays(cache: Path) -> None:
    put(cache / "deps" / ".making-dead")
    put(cache / "builds" / "context-dead")
    (cache / "deps" / "gone.lock").touch()
    (cache / "dags").mkdir()
    with scratch_folder(".making-", cache / "dags") as alive:
        done = prune(cache, Choice(LONG_AGO))
        assert alive.exists()
    assert sorted(path.name for path in done.leftovers) == [
        ".making-dead",
        "context-dead",
        "gone.lock",
    ]
    assert names(cache) == ["deps/.users"]


@pytest.mark.parametrize(("kind", "prefix"), [("apt", ".apt-"), ("debs", ".fetching-")])
def test_where_a_mirror_is_asked_stays_until_it_has_answered(
    cache: Path, kind: str, prefix: str
) -> None:
    (cache / kind).mkdir()
    with scratch_folder(prefix, cache / kind) as asked:
        assert prune(cache, Choice(time.time() + 1)).removed == ()
        assert asked.exists()


def test_a_lock_that_holds_something_is_an_entry(cache: Path) -> None:
    (cache / "locks").mkdir()
    (cache / "locks" / "leoflow.lock").write_text("locked")
    assert [len(shelf.entries) for shelf in take_stock(cache)] == [1]


def test_bases_stay_while_one_is_made(cache: Path) -> None:
    import fcntl

    put(cache / "bases" / "old")
    put(cache / "bases" / ".building-now")
    with (cache / "bases" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = prune(cache, Choice(time.time()))
    assert [entry.path.name for entry in done.in_use] == ["old"]
    assert (cache / "bases" / ".building-now").exists()
    prune(cache, Choice(time.time()))
    assert names(cache) == ["bases/.lock", "bases/.users"]


@given(st.lists(st.sampled_from([File(1, 1, 2, 10), File(1, 2, 1, 5), File(1, 3, 3, 7)])))
def test_only_files_without_another_name_are_freed(files: list[File]) -> None:
    freed = cachestock.freed_bytes([Entry("deps", Path("x"), 0.0, (one,)) for one in files])
    expected = {one for one in files if files.count(one) >= one.links}
    assert freed == sum(one.size_bytes for one in expected)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5400), ("12h", 43200), ("30d", 2592000), ("0.5w", 302400)]
)
def test_ages_are_read(text: str, seconds: float) -> None:
    assert cachestock.parse_age_seconds(text) == seconds


@pytest.mark.parametrize("text", ["30", "d", "-1d", "30 days", "1e3d", ""])
def test_other_ages_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 30d or 12h"):
        cachestock.parse_age_seconds(text)


def _build_often(parent: Path, broken: multiprocessing.Queue[str]) -> None:
    """Each round is a process of its own, as only the end of a build lets go of what it used."""
    made = 0
    for _ in range(ROUNDS):
        pid = os.fork()
        if pid == 0:
            os._exit(_build(parent))
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status not in (0, 1):
            broken.put(f"exit code {status}")
        made += status == 1
    broken.put(f"made {made}")


def _build(parent: Path) -> int:
    try:
        folder, reused = ensure_folder(parent, "key", _fill)
        for _ in range(5):
            if len(list(folder.iterdir())) != 20:
                return 2
        return 0 if reused else 1
    except BaseException:
        return 3


def _fill(folder: Path) -> None:
    for number in range(20):
        (folder / str(number)).touch()


def test_builds_that_run_while_the_cache_is_pruned_find_everything_whole(cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    broken: multiprocessing.Queue[str] = context.Queue()
    builds = [context.Process(target=_build_often, args=(cache / "deps", broken)) for _ in range(2)]
    for one in builds:
        one.start()
    removed = 0
    while any(one.is_alive() for one in builds):
        removed += len(prune(cache, Choice(time.time())).removed)
    said = [broken.get(timeout=10) for _ in builds]
    assert all(text.startswith("made") for text in said)
    assert broken.empty()
    made = sum(int(text.split()[1]) for text in said)
    assert removed > 0
    assert made - removed in (0, 1)
