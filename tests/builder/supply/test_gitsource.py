"""Which commit a folder is at, and nothing that is secret."""

import subprocess
from pathlib import Path

import pytest
from leoflow_builder.supply.gitsource import git_source, public_url


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgSign=false"]
    command = ["git", "-C", str(folder), *settings, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    project = tmp_path / "project"
    project.mkdir()
    (project / "dag.py").write_text("1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    git(tmp_path, "remote", "add", "origin", "https://me:s3cret@example.org/team/dags.git")
    return project


def test_a_checkout_has_a_revision_and_a_remote_without_its_password(checkout: Path) -> None:
    source = git_source(checkout)
    assert source is not None
    assert source.revision == git(checkout, "rev-parse", "HEAD")
    assert source.url == "https://example.org/team/dags.git"
    assert not source.dirty


def test_a_change_below_the_folder_makes_it_dirty(checkout: Path) -> None:
    (checkout / "dag.py").write_text("2\n")
    source = git_source(checkout)
    assert source is not None
    assert source.dirty


def test_a_new_file_makes_it_dirty(checkout: Path) -> None:
    (checkout / "more.py").write_text("2\n")
    source = git_source(checkout)
    assert source is not None
    assert source.dirty


def test_what_the_build_writes_and_what_lies_elsewhere_does_not_count(checkout: Path) -> None:
    (checkout / "dag.json").write_text("{}")
    (checkout.parent / "other.txt").write_text("")
    source = git_source(checkout)
    assert source is not None
    assert not source.dirty


def test_a_remote_of_another_name_does(checkout: Path) -> None:
    git(checkout, "remote", "rename", "origin", "upstream")
    source = git_source(checkout)
    assert source is not None
    assert source.url == "https://example.org/team/dags.git"


def test_without_a_remote_there_is_no_address(checkout: Path) -> None:
    git(checkout, "remote", "remove", "origin")
    source = git_source(checkout)
    assert source is not None
    assert source.url is None


def test_a_program_that_the_checkout_names_is_not_started(checkout: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    git(checkout, "config", "core.fsmonitor", str(trap))
    assert git_source(checkout) is not None
    assert not (tmp_path / "sprung").exists()


def test_no_checkout_and_no_commit_are_no_source(tmp_path: Path) -> None:
    assert git_source(tmp_path) is None
    git(tmp_path, "init", "--quiet")
    assert git_source(tmp_path) is None
    assert git_source(tmp_path / "missing") is None


def test_without_git_there_is_no_source(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    assert git_source(checkout) is None


def test_a_hook_s_variables_do_not_lead_elsewhere(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert git_source(checkout) is not None


@pytest.mark.parametrize(
    ("remote", "shown"),
    [
        ("https://example.org/a/b.git", "https://example.org/a/b.git"),
        ("https://user:token@example.org/a/b", "https://example.org/a/b"),
        ("https://token@example.org:8443/a/b", "https://example.org:8443/a/b"),
        ("https://example.org/a/b?private_token=x#y", "https://example.org/a/b"),
        ("git@example.org:a/b.git", "ssh://git@example.org/a/b.git"),
        ("example.org:a/b.git", "ssh://git@example.org/a/b.git"),
        ("somebody@example.org:a/b.git", "ssh://example.org/a/b.git"),
        ("ssh://git:pw@example.org:22/a/b", "ssh://git@example.org:22/a/b"),
        ("https://[2001:db8::1]:443/a", "https://[2001:db8::1]:443/a"),
        ("/srv/git/a.git", None),
        ("../a", None),
        ("file:///srv/git/a.git", None),
        ("C:\\dags", None),
        ("https://example.org:port/a", None),
        ("", None),
    ],
)
def test_an_address_is_shown_without_credentials_and_only_if_it_means_something_elsewhere(
    remote: str, shown: str | None
) -> None:
    assert public_url(remote) == shown
