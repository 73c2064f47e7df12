"""Steps on a database without a scheduler: each call is a transaction of its own, in no thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from house import SETTINGS, make_dag
from leoflow_agent.spec import BuiltDag, DagSpec, ImageRef, TaskSpec
from leoflow_agent.wire import Acknowledgement, Event, Report
from leoflow_controlplane.book.book import Book, Companion, Policy
from leoflow_controlplane.book.heldrun import RunPlan
from leoflow_controlplane.book.progress import Progress
from leoflow_controlplane.command import Trigger
from leoflow_controlplane.model import SERVER, RunKey, RunResult, TaskState, TryKey
from leoflow_controlplane.schema import metadata
from leoflow_controlplane.steps import calling, dag, report, run
from leoflow_controlplane.store.keeper import Keeper
from leoflow_controlplane.store.result import load_result
from leoflow_controlplane.workload import Dispatch
from sqlalchemy import Connection, Engine, create_engine, event, select

P = ParamSpec("P")
T = TypeVar("T")

DATE = "2026-01-01T00:00:00+00:00"
KEY = RunKey("d", "r")


def make_book(owner: str = SERVER, companions: tuple[Companion, ...] = (), **settings: Any) -> Book:
    """Make a book whose tokens are the keys of their tries."""
    chosen = replace(SETTINGS, **{"max_parallel_tasks": 100, **settings})
    return Book(Policy(owner, chosen, lambda key, now: repr(key), str), Keeper(), companions)


def make_plan(run_id: str = "r", **fields: Any) -> RunPlan:
    """Make the plan of a manual run."""
    date = fields.pop("logical_date", DATE)
    return RunPlan(run_id, fields.pop("run_type", "manual"), date, date, date, **fields)


class Ground:
    """A book on an engine; ``now`` is what steps are told. ``dispatches`` is all that came out."""

    def __init__(self, engine: Engine, book: Book | None = None) -> None:
        self.engine = engine
        self.book = book or make_book()
        self.now = 100.0
        self.dispatches: list[Dispatch] = []
        self.progress = Progress()

    def step(
        self, step: Callable[Concatenate[Connection, Book, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a step to its commit, as the writer does."""
        try:
            with self.engine.begin() as connection:
                answer = step(connection, self.book, *args, **kwargs)
                self.book.flush(connection)
        except BaseException:
            self.book.forget()
            raise
        told: object = answer
        if isinstance(told, tuple) and not isinstance(told, Progress):
            told = told[-1]
        if isinstance(told, Progress):
            self.progress = told
            self.dispatches += told.dispatches
        return answer

    def read(
        self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Ask a question."""
        with self.engine.begin() as connection:
            return query(connection, *args, **kwargs)

    def submit(self, *tasks: TaskSpec, plan: RunPlan | None = None, **fields: Any) -> list[TryKey]:
        """Make a run of a DAG that nobody registered; name the tries that were handed out."""
        self.step(run.submit, (make_dag(*tasks, **fields), "i"), plan or make_plan(), self.now)
        return self.handed_out()

    def register(self, spec: DagSpec, image: str = "i") -> None:
        """Make a version of a DAG known."""
        built = BuiltDag(spec, ImageRef(image, None, "linux/amd64"))
        self.step(dag.register_dag, built, self.now)

    def trigger(self, run_id: str = "r", **fields: Any) -> list[TryKey]:
        """Make a run of a registered DAG; name the tries that were handed out."""
        asked = Trigger(run_id, fields.pop("logical_date", DATE), **fields)
        self.step(dag.trigger, "d", asked, self.now)
        return self.handed_out()

    def report(self, key: TryKey, *events: dict[str, Any], nonce: str = "n") -> Acknowledgement:
        """Report as the agent of a try."""
        told = Report(protocol=1, nonce=nonce, events=[Event(at=1.0, **e) for e in events])  # type: ignore[typeddict-item]
        return self.step(report.take_report, key, told, self.now)[0]

    def finish(self, key: TryKey, state: str = "success", value: Any = None) -> list[TryKey]:
        """Report the whole of a try; name the tries that were handed out."""
        xcom = {"seq": 2, "type": "xcom", "key": "return_value", "value": value}
        end = {"seq": 3, "type": "finished", "state": state, "reason": None, "exit_code": 0}
        self.report(key, {"seq": 1, "type": "started"}, xcom, end)
        return self.handed_out()

    def handed_out(self) -> list[TryKey]:
        """Name the tries that the last step handed out."""
        return [dispatch.key for dispatch in self.progress.dispatches]

    def result(self, run_id: str = "r") -> RunResult:
        """Tell how a run stands, as the tables have it."""
        return self.read(load_result, RunKey("d", run_id))

    def states(self, run_id: str = "r") -> dict[str, TaskState | None]:
        """Give the state of each task, of a mapped one with its index, as the tables have it."""
        return {
            t.task_id if t.map_index < 0 else f"{t.task_id}[{t.map_index}]": t.state
            for t in self.result(run_id).tasks
        }

    def restart(self) -> None:
        """Go on with a memory that was read from the tables."""
        self.book = make_book(self.book.policy.owner)


def open_ground(url: str, **settings: Any) -> Ground:
    """Make the tables at ``url``, and stand on them."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _keep_foreign_keys)
    metadata.create_all(engine)
    return Ground(engine, make_book(**settings))


def _keep_foreign_keys(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys = ON")


def names(keys: list[TryKey]) -> list[str]:
    """Give what people call the task instances of tries."""
    return [key.task_id if key.map_index < 0 else f"{key.task_id}[{key.map_index}]" for key in keys]


def rows(ground: Ground, table: Any) -> list[Any]:
    """Read all rows of a table."""
    return ground.read(lambda connection: list(connection.execute(select(table))))


def begin_call(ground: Ground, task: TaskSpec) -> TryKey:
    """Make a run of one call, which begins."""
    assert ground.submit(task) == []
    assert ground.progress.calls_wait
    ground.step(calling.move_calls, (), 1, ground.now)
    (key,) = ground.handed_out()
    return key
