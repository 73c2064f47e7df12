"""The agent's budget: what the start of a no-op task may take, whatever the machine.

Checked by tests/integration/test_agent_budget.py. What to do when it is red: CONTRIBUTING.md.
"""

from __future__ import annotations

from dataclasses import dataclass

# What is in sys.modules just before user code is imported, beyond the bare interpreter's.
MODULES = frozenset(
    {
        "_json",
        "leoflow",
        "leoflow.registry",
        "leoflow_agent",
        "leoflow_agent.child",
        "leoflow_agent.compactjson",
    }
)
# What is opened until then. The interpreter opens the file that it is started with three times.
OPENED = ("__main__.pyc", "__main__.pyc", "__main__.pyc", "agent.bin", "_json")
# What no task loads but those of a kind of their own.
TASK_KINDS = (
    "leoflow_agent/bash_output.py",
    "leoflow_agent/bash_task.py",
    "leoflow_agent/http/",
)


@dataclass(frozen=True)
class Limit:
    """``measured`` is what it was when the limit was set; the limit leaves a few percent."""

    what: str
    measured: float
    limit: float

    def complaint(self, found: float, remedy: str) -> str | None:
        """Return None if ``found`` is within the limit, else what to say."""
        if found <= self.limit:
            return None
        return (
            f"{self.what}: {_text(found)}, the limit is {_text(self.limit)}, it was "
            f"{_text(self.measured)} when that was set. {remedy} (CONTRIBUTING.md)"
        )


def _text(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


# "First line" is `-S -c "import posix; posix._exit(0)"`: it leaves out the interpreter's own end,
# which no task waits for; with it, as in `-S -c pass`, a bare start takes 1.31 times as much.
TO_USER_CODE = Limit("instructions until user code / bare until its first line", 1.136, 1.16)
TO_USER_CODE_OF_PASS = Limit("instructions until user code / bare `pass`", 0.866, 1.25)
TO_TASK = Limit("instructions until the function of a DAG's task / bare `pass`", 0.886, 1.25)
WHOLE = Limit("instructions of both processes / bare `pass`", 1.032, 1.1)
START_BYTES = Limit("bytes read from agent.bin before user code", 48_850, 50_000)
# Of these, what a try reads is the above and what its supervisor imports. Half is of task kinds,
# and a fifth of what only some DAGs are drawn with: groups, mapping, setups, and their errors.
AGENT_BYTES = Limit("bytes of agent.bin", 310_970, 326_000)
LAYER_BYTES = Limit("bytes of the agent's layer, compressed", 120_852, 124_000)
IMAGE_BYTES = Limit("bytes of base and agent, compressed", 12_118_200, 12_500_000)
UNPACKED_BYTES = Limit("bytes of base and agent, unpacked", 44_570_200, 46_000_000)
LINES = Limit("lines of code of the agent that a no-op task loads", 963, 999)
CODE_BYTES = Limit("bytes of these lines", 40_484, 40 * 1024)
