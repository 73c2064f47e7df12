"""What an operator may set."""

from __future__ import annotations

import pytest
from leoflow_controlplane.error import SettingInvalid
from leoflow_controlplane.setting import read_settings


def test_nothing_set_is_sensible() -> None:
    settings = read_settings({})
    assert settings.max_parallel_tasks >= 2
    assert settings.inline_http_max_seconds == 300
    assert settings.xcom_limit_bytes == 262144


def test_what_is_set_counts() -> None:
    settings = read_settings(
        {"LEOFLOW_MAX_PARALLEL_TASKS": "1", "LEOFLOW_INLINE_HTTP_MAX_DURATION": "0.5"}
    )
    assert settings.max_parallel_tasks == 1
    assert settings.inline_http_max_seconds == 0.5


@pytest.mark.parametrize("text", ["0", "-1", "many", "nan", "inf", "0.5"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(SettingInvalid, match=f"LEOFLOW_MAX_PARALLEL_TASKS is '{text}'"):
        read_settings({"LEOFLOW_MAX_PARALLEL_TASKS": text})
