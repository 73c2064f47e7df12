"""Where tries run, as the settings say."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import leoflow_agent

from leoflow_controlplane.executor.protocol import ExecutorFactory
from leoflow_controlplane.serversetting import ServerSettings

SUBPROCESS_WARNING = (
    "tries run as subprocesses of this machine, with its Python and its libraries and without a "
    "container of their own: for development only"
)


def executor_factory(settings: ServerSettings) -> ExecutorFactory:
    """Give the factory of the executor; ExecutorUnusable if a certificate cannot be read."""
    if settings.executor == "subprocess":
        return _subprocesses(Path(settings.dag_folder or "."))
    from leoflow_controlplane.executor.docker import docker_executor
    from leoflow_controlplane.executor.reach import read_address

    return docker_executor(read_address(settings.environment))


def _subprocesses(folder: Path) -> ExecutorFactory:
    from leoflow_controlplane.executor.subprocess import subprocess_executor

    agent = Path(leoflow_agent.__file__).with_name("__main__.py")
    variables = {
        "LEOFLOW_DAG_FOLDER": str(folder.resolve()),
        "LEOFLOW_SITE_FOLDER": sysconfig.get_path("purelib"),
        "LEOFLOW_SITE_HAS_PTH": "1",
    }
    return subprocess_executor([sys.executable, "-I", "-S", str(agent)], folder, variables)
