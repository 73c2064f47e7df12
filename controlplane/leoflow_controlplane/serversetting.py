"""What an operator may set of `leoflow server`, and where each setting came from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leoflow_controlplane.error import SettingInvalid
from leoflow_controlplane.option import Chosen, Option, Places, choose
from leoflow_controlplane.quantity import COUNT, PORT, SECONDS, SWITCH, TEXT, WORDS, choice
from leoflow_controlplane.setting import OPTIONS, Settings

CONFIG_VARIABLE = "LEOFLOW_CONFIG"
FILE_NAME = "server.toml"


@dataclass(frozen=True)
class ServerSettings:
    """All of it. ``limits`` are what the control plane itself obeys; ``chosen`` says of each
    setting where it came from. What the others mean is in SERVER_OPTIONS."""

    home: Path
    limits: Settings
    chosen: tuple[Chosen, ...]
    host: str
    port: int
    url: str | None
    database_url: str | None
    executor: str
    dag_folder: str | None
    realm: str | None
    agent_url: str | None
    agent_listen: str | None
    agent_ca: str | None
    tls_cert: str | None
    tls_key: str | None
    secret_key: str | None
    allowed_hosts: tuple[str, ...]
    metrics_need_token: bool
    docs_pages: bool
    max_requests: int
    max_streams: int
    shutdown_seconds: float

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


SERVER_OPTIONS: tuple[Option, ...] = (
    Option("host", TEXT, "127.0.0.1", "the address that is listened on"),
    Option("port", PORT, 8080, "the port that is listened on"),
    Option("url", TEXT, None, "where the other replicas reach this one"),
    Option(
        "database_url",
        TEXT,
        None,
        "postgresql://… or sqlite:///…; none: the file leoflow.db in the home",
        secret=True,
        flag="--db",
    ),
    Option("executor", choice("docker", "subprocess"), "docker", "where tries run"),
    Option("dag_folder", TEXT, None, "the project whose DAG subprocesses run; for development"),
    Option("realm", TEXT, None, "a name that all replicas of one server have in common"),
    Option("agent_url", TEXT, None, "where containers reach the agent API; none: found out"),
    Option("agent_listen", TEXT, None, "HOST:PORT to listen on for that, if it is another"),
    Option("agent_ca", TEXT, None, "a file of certificates that agents trust"),
    Option("tls_cert", TEXT, None, "a file with the certificate to serve https with"),
    Option("tls_key", TEXT, None, "a file with its private key"),
    Option(
        "secret_key",
        TEXT,
        None,
        "keys that variables and connections are encrypted with; none: a file in the home",
        secret=True,
    ),
    Option("allowed_hosts", WORDS, (), "names that requests may have in Host; none: any"),
    Option("metrics_need_token", SWITCH, False, "whether /metrics is for tokens only"),
    Option("docs_pages", SWITCH, False, "whether /docs is served; it loads scripts from a CDN"),
    Option("max_requests", COUNT, 100, "requests of people and programs at once"),
    Option(
        "max_streams", COUNT, 1000, "logs that are followed and runs that are waited for at once"
    ),
    Option("shutdown_seconds", SECONDS, 10.0, "how long requests may take to end when it stops"),
)


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
    chosen = choose((*SERVER_OPTIONS, *OPTIONS), Places(flags, environment, document, str(path)))
    values = {name: one.value for name, one in chosen.items()}
    limits = Settings(**{option.name: values.pop(option.name) for option in OPTIONS})
    _check_pairs(values)
    return ServerSettings(home=home, limits=limits, chosen=tuple(chosen.values()), **values)


def _check_pairs(values: Mapping[str, Any]) -> None:
    problems = []
    if (values["tls_cert"] is None) != (values["tls_key"] is None):
        problems.append("one of tls_cert and tls_key is set, but https needs both.")
    if values["executor"] == "subprocess" and values["dag_folder"] is None:
        problems.append(
            "executor is 'subprocess', which runs a project's code from its folder and no image. "
            "Name the folder: --dag-folder DIR"
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
