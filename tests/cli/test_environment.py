"""Settings that the builder's half of the command line reads."""

from __future__ import annotations

import pytest
from leoflow_cli.environment import READ_TIMEOUT, read_options
from leoflow_cli.home import leoflow_home
from leoflow_cli.outcome import InvalidInput
from leoflow_controlplane.setting import Settings

SETTINGS = Settings(max_parallel_tasks=2, inline_http_max_seconds=7)


def test_the_builder_obeys_the_same_cap_as_the_control_plane(monkeypatch):
    monkeypatch.delenv(READ_TIMEOUT, raising=False)
    options = read_options(SETTINGS)
    assert options.inline_cap_seconds == 7


def test_the_time_limit_for_reading_a_dag_is_a_setting(monkeypatch):
    monkeypatch.setenv(READ_TIMEOUT, "2.5")
    assert read_options(SETTINGS).read_timeout_seconds == 2.5


@pytest.mark.parametrize("text", ["soon", "-1", "0", "nan", "inf"])
def test_a_limit_that_is_no_number_of_seconds_is_refused(monkeypatch, text):
    monkeypatch.setenv(READ_TIMEOUT, text)
    with pytest.raises(InvalidInput, match=f"is '{text}'"):
        read_options(SETTINGS)


def test_the_home_is_made_where_it_is_wanted(monkeypatch, tmp_path):
    monkeypatch.setenv("LEOFLOW_HOME", str(tmp_path / "a" / "b"))
    assert leoflow_home() == tmp_path / "a" / "b"
    assert leoflow_home().is_dir()


def test_the_home_is_the_users_unless_it_is_set(monkeypatch, tmp_path):
    monkeypatch.delenv("LEOFLOW_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert leoflow_home() == tmp_path / ".leoflow"
