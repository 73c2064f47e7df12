"""A stand-in for a real cluster: an emulated one whose Pods run in a Docker engine, to try
`make test-kubernetes` itself. ``python standin.py FOLDER`` writes ``kubeconfig`` there.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from emulator.cluster import running_cluster
from emulator.engine import EngineRuntime
from emulator.store import Object


async def main(folder: Path) -> None:
    """Serve until killed."""
    runtime = EngineRuntime(folder)

    def choose(pod: Object) -> str:
        image = pod["spec"]["containers"][0]["image"]
        if pod["spec"].get("nodeSelector"):
            return "unschedulable"
        return "run" if not image.endswith(":does-not-exist") else "pull_error"

    async with running_cluster(runtime=runtime, choose=choose) as cluster:
        cluster.write_kubeconfig(folder / "kubeconfig.new").rename(folder / "kubeconfig")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
