"""The engine is looked for where the docker command looks."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from leoflow_builder.oci.engine_host import DEFAULT_HOST, engine_host


def add_context(folder: Path, name: str, host: str) -> None:
    place = folder / "contexts" / "meta" / sha256(name.encode()).hexdigest()
    place.mkdir(parents=True)
    (place / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": host}}}))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user with two contexts, of which the second is in use."""
    folder = tmp_path / ".docker"
    add_context(folder, "one", "tcp://one:2376")
    add_context(folder, "two", "unix:///two.sock")
    (folder / "config.json").write_text(json.dumps({"currentContext": "two"}))
    return tmp_path


def test_docker_host_has_the_last_word(home: Path) -> None:
    assert engine_host({"DOCKER_HOST": "tcp://x:1", "DOCKER_CONTEXT": "one"}, home) == "tcp://x:1"


def test_the_context_in_use_counts(home: Path) -> None:
    assert engine_host({}, home) == "unix:///two.sock"
    assert engine_host({"DOCKER_CONTEXT": "one"}, home) == "tcp://one:2376"
    assert engine_host({"DOCKER_CONTEXT": "default"}, home) == DEFAULT_HOST


def test_the_folder_of_settings_may_be_elsewhere(home: Path, tmp_path: Path) -> None:
    elsewhere = {"DOCKER_CONFIG": str(home / ".docker")}
    assert engine_host(elsewhere, tmp_path / "nobody") == "unix:///two.sock"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"currentContext": 1}', '{"currentContext": "x"}']
)
def test_without_usable_settings_it_is_the_default(tmp_path: Path, text: str) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(text)
    assert engine_host({}, tmp_path) == DEFAULT_HOST
