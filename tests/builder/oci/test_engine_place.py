"""The engine is looked for where the docker command looks."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from leoflow_builder.failure import EngineError
from leoflow_builder.oci.engine_place import DEFAULT_HOST, find_engine

CERTIFICATES = ("ca.pem", "cert.pem", "key.pem")


def add_context(folder: Path, name: str, host: str, **more: object) -> None:
    place = folder / "contexts" / "meta" / sha256(name.encode()).hexdigest()
    place.mkdir(parents=True)
    endpoints = {"docker": {"Host": host, **more}}
    (place / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": endpoints}))


def add_certificates(folder: Path, name: str, *files: str) -> Path:
    place = folder / "contexts" / "tls" / sha256(name.encode()).hexdigest() / "docker"
    place.mkdir(parents=True)
    for file in files:
        (place / file).touch()
    return place


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user with two contexts, of which the second is in use."""
    folder = tmp_path / ".docker"
    add_context(folder, "one", "tcp://one:2376")
    add_context(folder, "two", "unix:///two.sock")
    (folder / "config.json").write_text(json.dumps({"currentContext": "two"}))
    return tmp_path


def test_docker_host_has_the_last_word_and_keeps_its_certificates(home: Path) -> None:
    named = {"DOCKER_HOST": "tcp://x:1", "DOCKER_CERT_PATH": "/c", "DOCKER_TLS_VERIFY": "1"}
    assert find_engine({**named, "DOCKER_CONTEXT": "one", "PATH": "/bin"}, home) == named


def test_the_context_in_use_counts(home: Path) -> None:
    assert find_engine({}, home) == {"DOCKER_HOST": "unix:///two.sock"}
    assert find_engine({"DOCKER_CONTEXT": "one"}, home) == {"DOCKER_HOST": "tcp://one:2376"}
    assert find_engine({"DOCKER_CONTEXT": "default"}, home) == {"DOCKER_HOST": DEFAULT_HOST}


def test_certificates_of_the_environment_are_not_a_contexts(home: Path) -> None:
    tls = {"DOCKER_CERT_PATH": "/c", "DOCKER_TLS_VERIFY": "1"}
    assert find_engine({**tls, "DOCKER_CONTEXT": "one"}, home) == {"DOCKER_HOST": "tcp://one:2376"}


@pytest.mark.parametrize(("skip", "verify"), [(False, {"DOCKER_TLS_VERIFY": "1"}), (True, {})])
def test_a_context_brings_its_certificates(
    tmp_path: Path, skip: bool, verify: dict[str, str]
) -> None:
    folder = tmp_path / ".docker"
    add_context(folder, "far", "tcp://far:2376", SkipTLSVerify=skip)
    place = add_certificates(folder, "far", *CERTIFICATES)
    assert find_engine({"DOCKER_CONTEXT": "far"}, tmp_path) == {
        "DOCKER_HOST": "tcp://far:2376",
        "DOCKER_CERT_PATH": str(place),
        **verify,
    }


def test_certificates_that_leoflow_cannot_use_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / ".docker"
    add_context(folder, "far", "tcp://far:2376")
    add_certificates(folder, "far", "ca.pem")
    with pytest.raises(EngineError, match=r"'far' has no cert\.pem and no key\.pem, and leoflow"):
        find_engine({"DOCKER_CONTEXT": "far"}, tmp_path)


def test_tls_without_certificates_is_refused(tmp_path: Path) -> None:
    add_context(tmp_path / ".docker", "far", "tcp://far:2376", SkipTLSVerify=True)
    with pytest.raises(EngineError, match=r"'far' has no ca\.pem and no cert\.pem and no key\.pem"):
        find_engine({"DOCKER_CONTEXT": "far"}, tmp_path)


def test_the_folder_of_settings_may_be_elsewhere(home: Path, tmp_path: Path) -> None:
    elsewhere = {"DOCKER_CONFIG": str(home / ".docker")}
    assert find_engine(elsewhere, tmp_path / "nobody") == {"DOCKER_HOST": "unix:///two.sock"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"currentContext": 1}'])
def test_without_usable_settings_it_is_the_default(tmp_path: Path, text: str) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(text)
    assert find_engine({}, tmp_path) == {"DOCKER_HOST": DEFAULT_HOST}


def test_a_context_that_is_none_is_refused_with_whoever_names_it(home: Path) -> None:
    with pytest.raises(EngineError, match="context 'tow', which DOCKER_CONTEXT names"):
        find_engine({"DOCKER_CONTEXT": "tow"}, home)
    (home / ".docker" / "config.json").write_text('{"currentContext": "gone"}')
    with pytest.raises(EngineError, match=r"'gone', which '.*/\.docker/config\.json' names"):
        find_engine({}, home)


@pytest.mark.parametrize("by", ["DOCKER_HOST", "DOCKER_CONTEXT"])
def test_ssh_is_refused_with_the_way_around(tmp_path: Path, by: str) -> None:
    add_context(tmp_path / ".docker", "ssh://me@far", "ssh://me@far")
    with pytest.raises(EngineError, match=r"by ssh\. Forward its socket: `ssh -NL \S+ me@far`"):
        find_engine({by: "ssh://me@far"}, tmp_path)
