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


def test_what_inline_calls_may_do_can_be_set() -> None:
    settings = read_settings(
        {
            "LEOFLOW_MAX_INLINE_CALLS": "7",
            "LEOFLOW_INLINE_CONNECTIONS_PER_HOST": "3",
            "LEOFLOW_INLINE_RESPONSE_LIMIT_BYTES": "1000",
            "LEOFLOW_INLINE_ALLOWED_HOSTS": "localhost, 10.0.0.0/8",
        }
    )
    assert (settings.max_inline_calls, settings.inline_connections_per_host) == (7, 3)
    assert settings.inline_response_limit_bytes == 1000
    assert settings.inline_allowed_hosts == ("localhost", "10.0.0.0/8")


def test_hosts_that_make_no_sense_are_named() -> None:
    with pytest.raises(SettingInvalid, match="has 'http://x'"):
        read_settings({"LEOFLOW_INLINE_ALLOWED_HOSTS": "http://x"})
