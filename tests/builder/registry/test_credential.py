"""Credentials are found where `docker login` and podman leave them, and never shown."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from leoflow_builder.registry.credential import Credential, docker_credentials
from leoflow_builder.registry.failure import CredentialError

SECRET = "secret-word"
HOST = "r.example:5000"


def auth(username: str = "ada", password: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def find(
    folder: Path, document: Any, host: str = HOST, repository: str = "team/dag", run: Any = None
):
    (folder / "config.json").write_text(
        document if isinstance(document, str) else json.dumps(document)
    )
    environment = {"DOCKER_CONFIG": str(folder), "HOME": "/nowhere"}
    arguments = (environment,) if run is None else (environment, run)
    return docker_credentials(*arguments)(host, repository)


def helper(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a credential helper on PATH."""
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\nread -r server\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize(
    "key", [HOST, f"https://{HOST}", f"https://{HOST}/v1/", f"http://{HOST}/v2/"]
)
def test_a_password_is_found_however_the_key_is_written(tmp_path: Path, key: str) -> None:
    found = find(tmp_path, {"auths": {key: auth()}})
    assert (found.username, found.password) == ("ada", SECRET)
    assert str(found) == f"user 'ada' from '{tmp_path / 'config.json'}'"


def test_docker_hub_has_an_address_of_its_own(tmp_path: Path) -> None:
    found = find(tmp_path, {"auths": {"https://index.docker.io/v1/": auth()}}, "docker.io")
    assert found.username == "ada"


def test_the_key_written_plainly_wins(tmp_path: Path) -> None:
    auths = {HOST: auth("plain"), f"https://{HOST}/v1/": auth("other")}
    assert find(tmp_path, {"auths": auths}).username == "plain"


def test_the_nearest_repository_wins(tmp_path: Path) -> None:
    auths = {HOST: auth("all"), f"{HOST}/team": auth("team"), f"{HOST}/team/dag2": auth("two")}
    assert find(tmp_path, {"auths": auths}).username == "team"
    assert find(tmp_path, {"auths": auths}, repository="dag").username == "all"


def test_passwords_may_have_colons_and_tokens_are_tokens(tmp_path: Path) -> None:
    assert find(tmp_path, {"auths": {HOST: auth(password="a:b")}}).password == "a:b"
    entry = {**auth("<token>", ""), "identitytoken": SECRET}
    found = find(tmp_path, {"auths": {HOST: entry}})
    assert found.identity_token == SECRET
    assert str(found).startswith("a token from")


@pytest.mark.parametrize("document", [{}, {"auths": {HOST: {}}}, {"auths": {"other": auth()}}])
def test_nothing_is_found_where_nothing_is(tmp_path: Path, document: Any) -> None:
    assert find(tmp_path, document) is None


def test_no_file_is_no_credential(tmp_path: Path) -> None:
    assert docker_credentials({"HOME": str(tmp_path)})(HOST, "dag") is None


def test_the_file_of_podman_comes_first(tmp_path: Path) -> None:
    named = tmp_path / "auth.json"
    named.write_text(json.dumps({"auths": {HOST: auth("podman")}}))
    (tmp_path / ".docker").mkdir()
    both = {HOST: auth("docker"), "other.example": auth("docker")}
    (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": both}))
    look = docker_credentials({"HOME": str(tmp_path), "REGISTRY_AUTH_FILE": str(named)})
    assert [look(host, "dag").username for host in (HOST, "other.example")] == ["podman", "docker"]


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    look = docker_credentials({"REGISTRY_AUTH_FILE": str(tmp_path / "gone")})
    with pytest.raises(CredentialError, match=r"REGISTRY_AUTH_FILE names '.*gone', which does not"):
        look(HOST, "dag")


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        {"auths": []},
        {"auths": {HOST: SECRET}},
        {"auths": {HOST: {"auth": f"%%{SECRET}"}}},
        {"auths": {HOST: {"auth": base64.b64encode(SECRET.encode()).decode()}}},
    ],
)
def test_a_broken_file_is_named_and_not_quoted(tmp_path: Path, document: Any) -> None:
    with pytest.raises(CredentialError, match="Log in again") as caught:
        find(tmp_path, document)
    assert str(tmp_path / "config.json") in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_helper_for_the_host_is_asked_before_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = '{{"ServerURL":"x","Username":"{}","Secret":"%s"}}'
    script = "printf '" + answer + '\' "$server"'
    helper(tmp_path, "one", script.format("one"), monkeypatch)
    helper(tmp_path, "all", script.format("all"), monkeypatch)
    document = {"credHelpers": {HOST: "one"}, "credsStore": "all"}
    assert find(tmp_path, document).username == "one"
    found = find(tmp_path, document, "docker.io")
    assert (found.username, found.password) == ("all", "https://index.docker.io/v1/")


def test_a_helper_may_give_an_identity_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"""echo '{{"Username":"<token>","Secret":"{SECRET}"}}'"""
    helper(tmp_path, "all", script, monkeypatch)
    found = find(tmp_path, {"credsStore": "all"})
    assert (found.identity_token, found.password) == (SECRET, "")
    assert "docker-credential-all" in str(found)


def test_what_a_helper_does_not_have_may_be_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, "all", "echo credentials not found in native keychain; exit 1", monkeypatch)
    assert find(tmp_path, {"credsStore": "all"}) is None
    assert find(tmp_path, {"credsStore": "all", "auths": {HOST: auth()}}).username == "ada"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo the key ring is locked >&2; exit 1", "failed for 'r.example:5000': the key ring is"),
        ("exit 3", "it said nothing"),
        (f"echo {SECRET}", "something else than JSON"),
        (f"""echo '{{"Secret":"{SECRET}"}}'""", "something else than JSON"),
    ],
)
def test_a_helper_that_fails_is_named_with_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    helper(tmp_path, "all", script, monkeypatch)
    with pytest.raises(CredentialError, match=f"'docker-credential-all'.*{message}") as caught:
        find(tmp_path, {"credsStore": "all"})
    assert SECRET not in str(caught.value)


def test_a_helper_that_is_missing_or_silent_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match=r"'docker-credential-none'.* is not on PATH"):
        find(tmp_path, {"credsStore": "none"})

    def silent(command: Sequence[str], given: str) -> Any:
        raise subprocess.TimeoutExpired(command, 120)

    with pytest.raises(CredentialError, match="gave no answer"):
        find(tmp_path, {"credsStore": "none"}, run=silent)


def test_no_secret_is_in_what_a_credential_looks_like() -> None:
    credential = Credential("a file", "ada", SECRET, SECRET, SECRET)
    assert SECRET not in f"{credential!r} {credential}"
