"""Where leoflow keeps its state, and what is said when it cannot."""

from __future__ import annotations

import pytest
from leoflow_cli.home import leoflow_home
from leoflow_cli.outcome import Unusable


def test_the_home_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("LEOFLOW_HOME", str(tmp_path / "a" / "b"))
    assert leoflow_home() == tmp_path / "a" / "b"
    assert leoflow_home().is_dir()


def test_without_a_setting_it_is_in_the_home_of_the_user(tmp_path, monkeypatch):
    monkeypatch.delenv("LEOFLOW_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert leoflow_home() == tmp_path / ".leoflow"


@pytest.mark.parametrize("below", ["", "sub"])
def test_a_file_in_its_place_is_named_with_the_fix(tmp_path, monkeypatch, below):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LEOFLOW_HOME", str(tmp_path / "file" / below))
    with pytest.raises(Unusable, match=r"file.*LEOFLOW_HOME to a writable folder"):
        leoflow_home()


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("LEOFLOW_HOME", str(tmp_path))
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(Unusable, match="not writable"):
        leoflow_home()
