"""What all Pods of one control plane have in common. A value only."""

from __future__ import annotations

from typing import Literal, NamedTuple

AgentMount = Literal["image-volume", "init-container"]

DEFAULT_TMP_BYTES = 1024**3
DEFAULT_BACKSTOP_SECONDS = 3600


class PodSite(NamedTuple):
    """What all Pods of one control plane have in common.

    ``owner_id`` is whose the tries are, ``realm_id`` names all that may adopt from one another.
    ``agent_image``: the image of agents, one of which gets into each task's container, so that its
    image need not be leoflow's; None: the images bring the agent.
    ``tmp_limit_bytes`` is the size of /tmp of a task that says nothing of its ephemeral storage.
    ``backstop_seconds`` is how long after its own time-out a Pod is ended in which the agent did
    not end the task: it has to hold the time to pull and start, and the agent's patience.
    What a task says for itself has precedence over ``service_account``, ``priority_class`` and
    ``image_pull_policy``; its ``image_pull_secrets`` are added.
    """

    namespace: str
    realm_id: str
    owner_id: str
    image_pull_secrets: tuple[str, ...] = ()
    image_pull_policy: str = "IfNotPresent"
    service_account: str | None = None
    priority_class: str | None = None
    agent_image: str | None = None
    agent_mount: AgentMount = "image-volume"
    tmp_limit_bytes: int = DEFAULT_TMP_BYTES
    backstop_seconds: int = DEFAULT_BACKSTOP_SECONDS
