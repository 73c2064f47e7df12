"""What an operator may set of the control plane that `leoflow run` and `leoflow server` both are,
as one frozen value. Reads nothing but the mapping that it is given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from leoflow_controlplane.kubernetesoption import KUBERNETES_OPTIONS
from leoflow_controlplane.option import Option, Places, choose
from leoflow_controlplane.outbound.guard import split_hosts
from leoflow_controlplane.quantity import BYTES, COUNT, DAYS, NUMBER, SECONDS, SWITCH, WORDS, Kind
from leoflow_controlplane.serveroption import SERVER_OPTIONS

KIB = 1024
MIB = 1024 * KIB


def default_parallelism() -> int:
    """As many tasks at once as there are processors, and at least two."""
    return max(2, os.cpu_count() or 2)


@dataclass(frozen=True)
class Settings:
    """Limits and intervals; durations are in seconds. What they mean is in OPTIONS.

    Those that are not there are for tests: ``start_allowance_seconds``: from dispatch to the
    agent's first report. ``settle_seconds``: how long the report of a dead container may still be
    on its way.
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
    schedule_timeout_seconds: float = 600.0
    pull_grace_seconds: float = 120.0
    quota_wait_seconds: float = 600.0
    machinery_retries: int = 3
    try_token_seconds: float = 4 * 3600.0
    dags_paused_at_creation: bool = False
    create_data_intervals: bool = False
    retention_days_runs: float | None = None
    retention_days_logs: float | None = None
    retention_days_xcoms: float | None = None


def _read_hosts(value: object) -> tuple[str, ...]:
    return split_hosts(",".join(WORDS.read(value)))


HOSTS = Kind(_read_hosts, "names or addresses of hosts, or networks such as 10.0.0.0/8", WORDS.show)

_DEFAULT = Settings(default_parallelism())


def _option(name: str, kind: Kind, meaning: str, variable: str = "") -> Option:
    return Option(name, kind, getattr(_DEFAULT, name), meaning, variable=variable)


OPTIONS: tuple[Option, ...] = (
    _option("max_parallel_tasks", COUNT, "containers and processes of tries at once"),
    _option(
        "max_inline_calls", COUNT, "http_api tasks that the control plane does itself, at once"
    ),
    _option("inline_connections_per_host", COUNT, "connections of these to one host"),
    _option(
        "inline_http_max_seconds",
        SECONDS,
        "how long such a task may take; longer ones have execution_mode: pod",
        "LEOFLOW_INLINE_HTTP_MAX_DURATION",
    ),
    _option("inline_response_limit_bytes", BYTES, "how long an answer to such a task may be"),
    _option(
        "inline_allowed_hosts",
        HOSTS,
        "hosts that such a task may call although the guard refuses them",
    ),
    _option("xcom_limit_bytes", BYTES, "how long a task's result may be"),
    _option("conf_limit_bytes", BYTES, "how long a run's conf and params may be together"),
    _option("grace_seconds", SECONDS, "from telling a try to stop to killing it"),
    _option("heartbeat_seconds", SECONDS, "how often an agent that has nothing to say says so"),
    _option(
        "patience_seconds",
        SECONDS,
        "how long a task that is over waits for its verdict to be taken",
    ),
    _option("max_map_length", COUNT, "instances that one mapped task may have"),
    _option("pull_timeout_seconds", SECONDS, "how long an image may take to be pulled"),
    _option("start_timeout_seconds", SECONDS, "how long a container may take to start"),
    _option(
        "engine_grace_seconds", SECONDS, "an engine that is away for longer has lost what it ran"
    ),
    _option("schedule_timeout_seconds", SECONDS, "how long a Pod may wait for a node"),
    _option("pull_grace_seconds", SECONDS, "how long a pull that fails on a node is waited for"),
    _option("quota_wait_seconds", SECONDS, "how long a Pod may wait for its namespace's quota"),
    _option(
        "machinery_retries",
        NUMBER,
        "tries that a task has beside its own retries when one ends by no fault of the task's",
    ),
    _option("try_token_seconds", SECONDS, "how long the token of a try is good; it is renewed"),
    _option("dags_paused_at_creation", SWITCH, "whether a DAG that is new makes no runs at first"),
    _option(
        "create_data_intervals",
        SWITCH,
        "whether a cron's runs have an interval, or begin and end at once",
    ),
    _option("retention_days_runs", DAYS, "how long runs that are over are kept"),
    _option("retention_days_logs", DAYS, "how long what their tries wrote is kept"),
    _option("retention_days_xcoms", DAYS, "how long what their tasks returned is kept"),
)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read LEOFLOW_* from ``environment``; SettingInvalid names each value that makes no sense."""
    chosen = choose(OPTIONS, Places({}, environment, {}), (*SERVER_OPTIONS, *KUBERNETES_OPTIONS))
    return Settings(**{name: one.value for name, one in chosen.items()})
