"""What is needed to start a try, wherever it runs. A value only; it starts nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from leoflow_agent.spec import AccessMode, TaskSpec
from leoflow_agent.wire import Workload

from leoflow_controlplane.model import TryKey


def be_silent(_text: str) -> None:
    """Take what a start has to tell, and keep it to oneself."""


def be_unheard() -> bool:
    """Tell that no agent has reported."""
    return False


class Launch(NamedTuple):
    """All that is needed to start a try. ``environment`` is what the DAG declares.

    ``artifacts``: where what it leaves for people is kept, a folder of this machine, or words for
    where on Kubernetes. ``staging_bytes``: the tries of its run share a folder of that size; on
    Kubernetes a claim of ``staging_storage_class`` (None: the cluster's default) with
    ``staging_access_mode``, which outlives the run if any task of it leaves artifacts
    (``run_leaves_artifacts``). ``say`` takes lines about the start for the log of the try, such as
    how far the pull of its image is; it is called in the event loop. ``image_digest`` is the
    manifest's, None where it is not known; ``python_version`` is the DAG's, as "3.11".
    ``is_heard``: whether an agent of the try has reported, so that it must not be started again
    whatever else is known of it.
    """

    key: TryKey
    image: str
    workload: Workload
    task: TaskSpec
    environment: Mapping[str, str]
    artifacts: str | None
    staging_bytes: int | None = None
    say: Callable[[str], None] = be_silent
    image_digest: str | None = None
    python_version: str = ""
    staging_storage_class: str | None = None
    staging_access_mode: AccessMode = "ReadWriteMany"
    is_heard: Callable[[], bool] = be_unheard
    run_leaves_artifacts: bool = False
