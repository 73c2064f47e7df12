"""What is measured: every scenario by name, in the order of the table."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.coldstart.container import PRINT_CLOCK, PYTHON, run_bare
from benchmarks.coldstart.product import INPUT_BYTES, run_edge, run_many, run_task
from benchmarks.coldstart.round import Sample, Scenario
from benchmarks.coldstart.stage import STATIC, Stage

STATIC_COMMAND = ("/noop",)


async def _static(stage: Stage) -> Sample:
    return await run_bare(stage, stage.images[STATIC].reference, STATIC_COMMAND)


async def _bare(stage: Stage) -> Sample:
    return await run_bare(stage, stage.images["noop"].reference, (*PYTHON, "pass"))


async def _bare_line(stage: Stage) -> Sample:
    return await run_bare(stage, stage.images["noop"].reference, (*PYTHON, PRINT_CLOCK))


async def _noop(stage: Stage) -> Sample:
    return await run_task(stage, "noop", "clock")


async def _input(stage: Stage) -> Sample:
    return await run_task(stage, "steps", "take", {"text": "x" * INPUT_BYTES})


async def _bash(stage: Stage) -> Sample:
    return await run_task(stage, "steps", "shell")


async def _pandas(stage: Stage) -> Sample:
    return await run_task(stage, "with_pandas", "version")


def _at_once(count: int) -> Scenario:
    async def take_turn(stage: Stage) -> Sample:
        return await run_many(stage, "noop", count)

    title = f"{count} no-op task{'s' * (count > 1)} at once, to the last verdict"
    return Scenario(f"at_once_{count}", title, ("noop",), take_turn)


SCENARIOS: Sequence[Scenario] = (
    Scenario("static", "a static program, no control plane", (STATIC,), _static),
    Scenario("bare", "`python -I -S -c pass`, no control plane", ("noop",), _bare),
    Scenario("bare_line", "the same, printing one line", ("noop",), _bare_line),
    Scenario("noop", "a task that prints one line", ("noop",), _noop),
    Scenario("input", "a task with 10 KB of input", ("steps",), _input),
    Scenario("bash", "a bash task", ("steps",), _bash),
    Scenario("pandas", "a task that imports pandas", ("with_pandas",), _pandas),
    Scenario("edge", "from one task's last line to the next one's first", ("steps",), run_edge),
    _at_once(1),
    _at_once(10),
    _at_once(50),
)


def chosen(only: Sequence[str], groups: Sequence[str]) -> list[Scenario]:
    """Return the scenarios of these names, or else of these groups."""
    return [one for one in SCENARIOS if (one.name in only if only else one.group in groups)]
