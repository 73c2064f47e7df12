"""What is measured: every scenario by name, in the order of the table."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.build.contender import leoflow
from benchmarks.build.process import BenchError
from benchmarks.coldstart.container import PYTHON, Wanted, run_bare
from benchmarks.coldstart.line import PRINT_LINE
from benchmarks.coldstart.product import INPUT_BYTES, run_edge, run_many, run_task
from benchmarks.coldstart.round import Scenario
from benchmarks.coldstart.setting import SETTING_SCENARIOS
from benchmarks.coldstart.stage import STATIC, Sample, Stage

DAG_FOLDER = "/opt/leoflow/dag"
EXAMPLE = Path(__file__).parents[2] / "examples" / "01-hello"
AIRFLOW = Wanted(
    image="with_airflow",
    command=("python3.11", "-m", "supervise"),
    host={"Memory": 2**30, "MemorySwap": 2**30},
    more={
        "WorkingDir": DAG_FOLDER,
        "Env": [
            "AIRFLOW_HOME=/tmp/airflow",
            f"AIRFLOW__CORE__DAGS_FOLDER={DAG_FOLDER}",
            "AIRFLOW__CORE__LOAD_EXAMPLES=False",
        ],
    },
)
# What runs in place of the agent, by project.
AGENTS = {
    "naive": {"Entrypoint": ["python3.11", "-m", "naive_agent"], "WorkingDir": DAG_FOLDER},
}


async def _static(stage: Stage) -> Sample:
    return await run_bare(stage, Wanted(stage.images[STATIC].reference, ("/noop",)))


async def _bare(stage: Stage) -> Sample:
    return await run_bare(stage, Wanted(stage.images["noop"].reference, (*PYTHON, "pass")))


async def _bare_line(stage: Stage) -> Sample:
    return await run_bare(stage, Wanted(stage.images["noop"].reference, (*PYTHON, PRINT_LINE)))


async def _noop(stage: Stage) -> Sample:
    return await run_task(stage, "noop", "clock")


async def _input(stage: Stage) -> Sample:
    return await run_task(stage, "steps", "take", {"text": "x" * INPUT_BYTES})


async def _bash(stage: Stage) -> Sample:
    return await run_task(stage, "steps", "shell")


async def _pandas(stage: Stage) -> Sample:
    return await run_task(stage, "with_pandas", "version")


async def _naive(stage: Stage) -> Sample:
    return await run_task(stage, "naive", "clock")


async def _airflow(stage: Stage) -> Sample:
    image = stage.images["with_airflow"].reference
    sample = await run_bare(stage, AIRFLOW._replace(image=image))
    if "first_line" not in sample:
        raise BenchError("Airflow's supervisor ended well, but the task's line is not in its log")
    return sample


async def _command(stage: Stage) -> Sample:
    """Run the whole command as a person types it; the process ends with this turn."""
    folder = stage.home / "bench-coldstart" / "hello"
    if not folder.exists():
        await asyncio.to_thread(shutil.copytree, EXAMPLE, folder)
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *leoflow("run", str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
    if process.returncode != 0:
        tail = output.decode(errors="replace").splitlines()[-5:]
        raise BenchError(f"'leoflow run' left with {process.returncode}: {' / '.join(tail)}")
    return {"total": (time.perf_counter() - began) * 1000}


def _at_once(count: int, group: str = "standard") -> Scenario[Stage]:
    async def take_turn(stage: Stage) -> Sample:
        return await run_many(stage, "noop", count)

    title = f"{count} no-op task{'s' * (count > 1)} at once, to the last verdict"
    return Scenario(f"at_once_{count}", title, ("noop",), take_turn, group)


SCENARIOS: Sequence[Scenario[Stage]] = (
    Scenario("static", "a static program, no control plane", (STATIC,), _static),
    Scenario("bare", "`python -I -S -c pass`, no control plane", ("noop",), _bare),
    Scenario(
        "bare_line", "`python -I -S` that prints one line, no control plane", ("noop",), _bare_line
    ),
    Scenario("noop", "the no-op task: it prints one line", ("noop",), _noop),
    Scenario("input", "a task with 10 KB of input", ("steps",), _input),
    Scenario("bash", "a bash task", ("steps",), _bash),
    Scenario("pandas", "a task that imports pandas", ("with_pandas",), _pandas),
    Scenario("naive", "the no-op task under the naive agent", ("naive",), _naive),
    Scenario(
        "airflow",
        "the same under Airflow's task supervisor, no server",
        ("with_airflow",),
        _airflow,
        "airflow",
    ),
    Scenario("edge", "from one task's last line to the next one's first", ("steps",), run_edge),
    _at_once(1),
    _at_once(10),
    _at_once(50, "long"),
    Scenario("command", "`leoflow run examples/01-hello`, the whole command", (), _command),
    *SETTING_SCENARIOS,
)


def chosen(only: Sequence[str], groups: Sequence[str]) -> list[Scenario[Stage]]:
    """Return the scenarios of these names, or else of these groups."""
    return [one for one in SCENARIOS if (one.name in only if only else one.group in groups)]
