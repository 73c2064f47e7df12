"""What an operator may set, as one frozen value. Reads nothing but the mapping that it is given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from leoflow_controlplane.error import SettingInvalid
from leoflow_controlplane.outbound.guard import SETTING as ALLOWED_HOSTS
from leoflow_controlplane.outbound.guard import split_hosts

KIB = 1024
MIB = 1024 * KIB


def default_parallelism() -> int:
    """As many tasks at once as there are processors, and at least two."""
    return max(2, os.cpu_count() or 2)


@dataclass(frozen=True)
class Settings:
    """Limits and intervals; durations are in seconds.

    ``patience_seconds``: how long a task that is over waits for us to take its verdict.
    ``start_allowance_seconds``: from dispatch to the agent's first report. ``settle_seconds``:
    how long the report of a dead container may still be on its way. The limits of pull, start and
    engine are told by the executor: see its Limits. ``inline_allowed_hosts``: what requests of the
    control plane may go to although the guard would refuse it. ``try_token_seconds``: how long a
    token of a try is good; it is renewed while its agent reports.
    """

    max_parallel_tasks: int
    max_inline_calls: int = 1000
    inline_connections_per_host: int = 1000
    inline_http_max_seconds: float = 300.0
    inline_response_limit_bytes: int = 2 * MIB
    inline_allowed_hosts: tuple[str, ...] = ()
    xcom_limit_bytes: int = 256 * KIB
    grace_seconds: float = 10.0
    heartbeat_seconds: float = 30.0
    patience_seconds: float = 600.0
    start_allowance_seconds: float = 120.0
    removal_allowance_seconds: float = 30.0
    settle_seconds: float = 0.5
    conf_limit_bytes: int = 48 * KIB
    max_map_length: int = 1024
    pull_timeout_seconds: float = 600.0
    start_timeout_seconds: float = 120.0
    engine_grace_seconds: float = 60.0
    try_token_seconds: float = 4 * 3600.0
    dags_paused_at_creation: bool = False


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read LEOFLOW_* from ``environment``; SettingInvalid names a value that is no number."""
    return Settings(
        max_parallel_tasks=int(
            _positive(environment, "LEOFLOW_MAX_PARALLEL_TASKS", default_parallelism())
        ),
        inline_http_max_seconds=_positive(environment, "LEOFLOW_INLINE_HTTP_MAX_DURATION", 300),
        max_inline_calls=_count(environment, "LEOFLOW_MAX_INLINE_CALLS", 1000),
        inline_connections_per_host=_count(
            environment, "LEOFLOW_INLINE_CONNECTIONS_PER_HOST", 1000
        ),
        inline_response_limit_bytes=_count(
            environment, "LEOFLOW_INLINE_RESPONSE_LIMIT_BYTES", 2 * MIB
        ),
        inline_allowed_hosts=split_hosts(environment.get(ALLOWED_HOSTS, "")),
        xcom_limit_bytes=int(_positive(environment, "LEOFLOW_XCOM_LIMIT_BYTES", 256 * KIB)),
        max_map_length=int(_positive(environment, "LEOFLOW_MAX_MAP_LENGTH", 1024)),
        pull_timeout_seconds=_positive(environment, "LEOFLOW_PULL_TIMEOUT_SECONDS", 600),
        start_timeout_seconds=_positive(environment, "LEOFLOW_START_TIMEOUT_SECONDS", 120),
        engine_grace_seconds=_positive(environment, "LEOFLOW_ENGINE_GRACE_SECONDS", 60),
    )


def _count(environment: Mapping[str, str], name: str, default: int) -> int:
    return int(_positive(environment, name, default))


def _positive(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, "").strip()
    try:
        value = float(text) if text else float(default)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf") or (name != "LEOFLOW_INLINE_HTTP_MAX_DURATION" and value < 1):
        raise SettingInvalid(
            f"{name} is '{text}', which is not a positive number. Set it to one, such as "
            f"{default:g}, or leave it out."
        )
    return value
