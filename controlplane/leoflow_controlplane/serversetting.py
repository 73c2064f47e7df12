"""What an operator may set of `leoflow server`, and where each setting came from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leoflow_controlplane.error import SettingInvalid
from leoflow_controlplane.kubernetesoption import KUBERNETES_OPTIONS
from leoflow_controlplane.kubernetessetting import KubernetesSettings
from leoflow_controlplane.logcontext import LogFormat, LogLevel
from leoflow_controlplane.option import Chosen, Places, choose
from leoflow_controlplane.serveroption import SERVER_OPTIONS
from leoflow_controlplane.setting import OPTIONS, Settings
from leoflow_controlplane.webhook import read_secret

CONFIG_VARIABLE = "LEOFLOW_CONFIG"
FILE_NAME = "server.toml"

# Of a token that people choose; what leoflow makes itself is 256 random bits.
ADMIN_TOKEN_LENGTH = 32


@dataclass(frozen=True)
class ServerSettings:
    """All of it. ``limits`` are what the control plane itself obeys; ``chosen`` says of each
    setting where it came from. ``engine`` are Docker's variables, which whoever starts the server
    has found out; None: those of this process. What the others mean is in SERVER_OPTIONS and
    KUBERNETES_OPTIONS."""

    home: Path
    limits: Settings
    chosen: tuple[Chosen, ...]
    kubernetes: KubernetesSettings
    host: str
    port: int
    url: str | None
    database_url: str | None
    executor: str
    subprocess_projects: str | None
    realm: str | None
    agent_url: str | None
    agent_listen: str | None
    agent_ca: str | None
    tls_cert: str | None
    tls_key: str | None
    secret_key: str | None
    admin_token: str | None
    webhook_secret: str | None
    log_format: LogFormat
    log_level: LogLevel
    allowed_hosts: tuple[str, ...]
    metrics_need_token: bool
    docs_pages: bool
    max_requests: int
    max_streams: int
    shutdown_seconds: float
    engine: Mapping[str, str] | None = None

    @property
    def database(self) -> str | Path:
        """The database's URL, or the file in the home."""
        return self.database_url or self.home / "leoflow.db"

    @property
    def environment(self) -> dict[str, str]:
        """Those settings that other parts of the control plane read from an environment."""
        names = ("agent_url", "agent_listen", "agent_ca", "secret_key")
        return {
            one.option.variable: one.value
            for one in self.chosen
            if one.option.name in names and one.value is not None
        }


def read_server_settings(
    home: Path,
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    config: Path | None = None,
) -> ServerSettings:
    """Read all settings; SettingInvalid has a line for each mistake.

    ``flags`` are by the names of options, None where one was not given. ``config`` is the file,
    else LEOFLOW_CONFIG names it, else it is server.toml in ``home`` if there is one.
    """
    path, document = read_file(home, environment, config)
    options = (*SERVER_OPTIONS, *KUBERNETES_OPTIONS, *OPTIONS)
    chosen = choose(options, Places(flags, environment, document, str(path)))
    values = {name: one.value for name, one in chosen.items()}
    limits = Settings(**{option.name: values.pop(option.name) for option in OPTIONS})
    kubernetes = KubernetesSettings.of(values)
    own = {option.name: values[option.name] for option in SERVER_OPTIONS}
    _check_pairs(own)
    read_secret(own["webhook_secret"] or "")
    return ServerSettings(home, limits, tuple(chosen.values()), kubernetes, **own)


def _check_pairs(values: Mapping[str, Any]) -> None:
    problems = []
    if (values["tls_cert"] is None) != (values["tls_key"] is None):
        problems.append("one of tls_cert and tls_key is set, but https needs both.")
    if values["executor"] == "subprocess" and values["subprocess_projects"] is None:
        problems.append(
            "executor is 'subprocess', which runs projects from their folders and not from images. "
            "Name the folder that they are in, each by its dag_id: --subprocess-projects DIR"
        )
    if len(values["admin_token"] or "x" * ADMIN_TOKEN_LENGTH) < ADMIN_TOKEN_LENGTH:
        problems.append(
            f"admin_token is shorter than {ADMIN_TOKEN_LENGTH} characters, so that it could be "
            "guessed. Take the output of: openssl rand -hex 32"
        )
    if problems:
        raise SettingInvalid("\n".join(problems))


def read_file(
    home: Path, environment: Mapping[str, str], config: Path | None
) -> tuple[Path, Mapping[str, Any]]:
    """Read the file of settings; one that was named has to be there."""
    named = config or (
        Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None
    )
    path = named or home / FILE_NAME
    try:
        return path, tomllib.loads(path.read_text())
    except FileNotFoundError:
        if named is None:
            return path, {}
        raise SettingInvalid(f"there is no file of settings at '{path}'.") from None
    except OSError as error:
        raise SettingInvalid(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingInvalid(f"{path} is not TOML: {error}") from None
