"""The conversation of an http_api task: what to send, when to wait, when it is over.

A generator of `http.step` values, and so the same in a container and in the control plane. It has
no network, no clock and no chance of its own.
"""

import json

from leoflow_agent import exitcode
from leoflow_agent.exitcode import Verdict
from leoflow_agent.http.answer import header, read_json, read_value, size_of
from leoflow_agent.http.ask import Question
from leoflow_agent.http.condition import describe, holds
from leoflow_agent.http.page import Pager
from leoflow_agent.http.path import PathMissing
from leoflow_agent.http.step import Keep, Line, Pause, Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from leoflow_agent.http.step import Answer
    from leoflow_agent.wire import HttpCondition

    Steps = Generator[Any, Any, Any]

# Whitespace apart, no longer body fits into a result.
READ_FACTOR = 8
# A page whose items go to a file.
PAGE_BYTES = 64 * 1024 * 1024


class Limits:
    """What a result may be: JSON of ``xcom_bytes`` for the task ``task_id``."""

    def __init__(self, task_id: str, xcom_bytes: int) -> None:
        self.task_id = task_id
        self.xcom_bytes = xcom_bytes
        self.read_bytes = xcom_bytes * READ_FACTOR

    def oversize(self, size: str) -> Verdict:
        """Say that a result is too long, and what to do."""
        return Verdict(
            exitcode.RESULT_INVALID,
            f"the result of task '{self.task_id}' is {size}, more than the limit of "
            f"{self.xcom_bytes}: have it written to a file with save_as and execution_mode: pod, "
            "ask for less, or raise LEOFLOW_XCOM_LIMIT_BYTES",
        )


def talk(question: Question, limits: Limits) -> "Steps":
    """Yield steps and take what came of each, until the Result is returned.

    Every text in it, that of the Verdict which it may raise included, is free of secrets.
    """
    try:
        way = _ask_once
        if question.request["poll"]:
            way = _poll
        elif question.request["pagination"]:
            way = _paginate
        steps = way(question, limits)
        reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                return end.value
            if isinstance(step, Line):
                step = Line(question.secrets.hide(step.text))
            reply = yield step
    except Verdict as verdict:
        raise Verdict(verdict.exit_code, question.secrets.hide(verdict.reason)) from None


def _ask_once(question: Question, limits: Limits) -> "Steps":
    saving = question.success_codes if question.saves else ()
    answer, _ = yield from question.ask(question.url, limits.read_bytes, saving)
    yield Line(f"{question.place}: {_seen(answer)}")
    question.check(answer)
    return _result(question, limits, answer)


def _poll(question: Question, limits: Limits) -> "Steps":
    poll = question.request["poll"]
    until, fail_when = poll["until"], poll["fail_when"]
    saving = until["status"] if question.saves else ()
    attempt = 0
    while True:
        attempt += 1
        answer, _ = yield from question.ask(question.url, limits.read_bytes, saving)
        looked = f"attempt {attempt} of {question.place}: {_seen(answer)}"
        document = _Document(question, limits, answer)
        if fail_when and _judge(fail_when, document):
            said = _saw(fail_when, document) or f"it is answered with {answer.status}"
            raise Verdict(exitcode.USER_FAILURE, f"{question.place}: {said}, as fail_when has it")
        question.check(answer)
        done = _judge(until, document)
        saw = _saw(until, document)
        looked += f", {saw}" if saw else ""
        if done:
            yield Line(looked + ", done")
            return _result(question, limits, answer)
        yield Line(f"{looked}, again in {poll['interval_seconds']:g} s")
        yield Pause(poll["interval_seconds"])


def _paginate(question: Question, limits: Limits) -> "Steps":
    pager = Pager(question.request["pagination"], question.url, question.query_credentials)
    read_bytes = PAGE_BYTES if question.saves else limits.read_bytes
    joined: list[Any] = []
    size, total = len("[]"), 0
    url: str | None = pager.first_url()
    while url is not None:
        answer, url = yield from question.ask(url, read_bytes, ())
        question.check(answer)
        _check_length(limits, answer, read_bytes)
        document = read_json(answer, question.place, read_bytes)
        items = pager.items(document)
        yield Line(f"page {pager.count} of {question.place}: {_seen(answer)}, {len(items)} items")
        if question.saves:
            yield Keep(_lines(items, is_first=total == 0))
        else:
            size += sum(len(_compact(item)) + 1 for item in items)
            if size - 1 > limits.xcom_bytes:
                raise limits.oversize(f"at least {size - 1} bytes of JSON by page {pager.count}")
            joined += items
        total += len(items)
        url = pager.next_url(url, document, items, header(answer, "link"))
    if not question.saves:
        return Result(joined, None)
    yield Keep(b"\n]\n" if total else b"[]\n")
    return Result(None, {"status": answer.status, "pages": pager.count, "items": total})


class _Document:
    """The JSON of an answer, read when it is first needed."""

    def __init__(self, question: Question, limits: Limits, answer: "Answer") -> None:
        self.status = answer.status
        self.place = question.place
        self._limits = limits
        self._answer = answer
        self._known: list[Any] = []

    def __call__(self) -> "Any":
        if not self._known:
            _check_length(self._limits, self._answer, self._limits.read_bytes)
            self._known.append(read_json(self._answer, self.place, self._limits.read_bytes))
        return self._known[0]


def _judge(condition: "HttpCondition", document: _Document) -> bool:
    try:
        return holds(condition, document.status, document)
    except PathMissing as missing:
        path = condition["path"]
        raise Verdict(
            exitcode.USER_FAILURE, f"the answer to {document.place} has no '{path}': {missing}"
        ) from None


def _saw(condition: "HttpCondition", document: _Document) -> str:
    return describe(condition, document.status, document)


def _result(question: Question, limits: Limits, answer: "Answer") -> Result:
    if question.saves:
        return Result(None, {"status": answer.status})
    _check_length(limits, answer, limits.read_bytes)
    value = read_value(answer, question.place, limits.read_bytes)
    size = len(_compact(value))
    if size > limits.xcom_bytes:
        raise limits.oversize(f"{size} bytes of JSON")
    return Result(value, None)


def _check_length(limits: Limits, answer: "Answer", read_bytes: int) -> None:
    if answer.body is not None:
        return
    size = size_of(answer)
    text = f"{size} bytes" if size else f"more than {read_bytes} bytes"
    if read_bytes == PAGE_BYTES:
        reason = (
            f"a page is {text}, more than the {PAGE_BYTES} that one may have: ask for smaller ones"
        )
        raise Verdict(exitcode.RESULT_INVALID, reason)
    raise limits.oversize(text)


def _seen(answer: "Answer") -> str:
    return f"{answer.status} in {answer.seconds * 1000:.0f} ms"


def _compact(value: "Any") -> str:
    return json.dumps(value, separators=(",", ":"))


def _lines(items: "list[Any]", is_first: bool) -> bytes:
    """Return items as they stand in a JSON list, one in a line."""
    text = ",\n".join(json.dumps(item, ensure_ascii=False) for item in items)
    if not items:
        return b""
    return (("[\n" if is_first else ",\n") + text).encode("utf-8", "surrogatepass")
