"""An http_api task that runs in a container: carries its conversation (`http.talk`) out.

SIGTERM ends it at once, as it ends any process that does not say otherwise.
"""

import os
import random
import time

from leoflow_agent.http.ask import Question
from leoflow_agent.http.connection import exchange
from leoflow_agent.http.file import ArtifactFile
from leoflow_agent.http.step import Broken, Keep, Line, Pause, Send
from leoflow_agent.http.talk import Limits, talk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from leoflow_agent.wire import Inputs, Workload


def send(inputs: "Inputs", workload: "Workload") -> object:
    """Send the request of ``inputs`` as often as it says, and return its result.

    Says on stdout what it does. Raises Verdict when it is not a success.
    """
    request = inputs["request"]
    assert request is not None
    environment = {**os.environ, **inputs["environment"]}
    question = Question(request, environment, random.random, time.time)
    limits = Limits(workload["context"]["task_id"], workload["xcom_limit_bytes"])
    save_as = request.get("save_as")
    if save_as is None:
        return _carry_out(question, limits, None).value
    with ArtifactFile(environment.get("LEOFLOW_ARTIFACTS"), save_as) as file:
        told = _carry_out(question, limits, file).in_file
        return {**file.finish(), **told}


def _carry_out(question: Question, limits: Limits, file: "ArtifactFile | None") -> "Any":
    steps = talk(question, limits)
    reply = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as end:
            return end.value
        reply = _do(step, file)


def _do(step: object, file: "ArtifactFile | None") -> "Any":
    if isinstance(step, Line):
        print(step.text)
    elif isinstance(step, Pause):
        time.sleep(step.seconds)
    elif isinstance(step, Send):
        return _exchange(step, file)
    elif isinstance(step, Keep):
        assert file is not None
        file.write(step.chunk)
    return None


def _exchange(step: Send, file: "ArtifactFile | None") -> "Any":
    if file is None:
        return exchange(step, _nowhere)
    answer = exchange(step, file.write)
    if isinstance(answer, Broken) and step.save_codes:
        file.restart()
    return answer


def _nowhere(_chunk: bytes) -> None:
    raise AssertionError("a body was saved that nobody asked to be saved")
