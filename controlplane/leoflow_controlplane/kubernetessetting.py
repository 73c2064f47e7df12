"""What an operator may set of the executor kubernetes, as one frozen value. Imports no client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from leoflow_controlplane.kubernetesoption import KUBERNETES_OPTIONS, PREFIX
from leoflow_controlplane.option import Places, choose
from leoflow_controlplane.serveroption import SERVER_OPTIONS
from leoflow_controlplane.setting import OPTIONS

AgentMount = Literal["image-volume", "init-container"]


@dataclass(frozen=True)
class KubernetesSettings:
    """All of it; what each means is in KUBERNETES_OPTIONS. Durations are in seconds."""

    context: str | None = None
    namespace: str | None = None
    service_account: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    agent_image: str | None = None
    agent_mount: AgentMount = "init-container"
    create_rate: int = 200
    keep_finished_seconds: float = 60.0
    keep_failed_seconds: float = 3600.0
    prepull: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> KubernetesSettings:
        """Take what the options are set to, by their names."""
        names = [option.name for option in KUBERNETES_OPTIONS]
        return cls(**{name.removeprefix(PREFIX): values[name] for name in names})


def read_kubernetes_settings(environment: Mapping[str, str]) -> KubernetesSettings:
    """Read LEOFLOW_KUBERNETES_*; SettingInvalid names each value that makes no sense."""
    places = Places({}, environment, {})
    chosen = choose(KUBERNETES_OPTIONS, places, (*OPTIONS, *SERVER_OPTIONS))
    return KubernetesSettings.of({name: one.value for name, one in chosen.items()})
