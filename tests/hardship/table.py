"""A table of tasks that need nobody's help: what each has to end with."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from ward import Ending


class Row(NamedTuple):
    """``reason`` and ``log`` have to be in the reason and in the log; "" is no reason at all."""

    task_id: str
    state: str
    exit_code: int
    reason: str = ""
    value: Any = None
    log: str = ""

    def check(self, end: Ending) -> None:
        """Compare with how the task ended."""
        assert (end.state, end.exit_code) == (self.state, self.exit_code), end
        if self.reason:
            assert self.reason in (end.reason or ""), end
        else:
            assert end.reason is None
        assert end.value == self.value
        assert self.log in end.log
        assert 'File "/opt/leoflow/agent/' not in end.log, (
            "the agent's own frames are nobody's business"
        )


def rows(*table: Row) -> pytest.MarkDecorator:
    """Parametrize a test by a table."""
    return pytest.mark.parametrize("row", table, ids=[row.task_id for row in table])
