"""Why what a task returned cannot be kept for others. Imported only where that is so."""

from leoflow_agent import compactjson, exitcode, jsonhint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow_agent.wire import Workload


def of_returned(value: object, workload: "Workload") -> exitcode.Verdict:
    """Return the verdict on a try that returned ``value``: no JSON, or more than the limit."""
    task_id, limit = workload["context"]["task_id"], workload["xcom_limit_bytes"]
    try:
        size_bytes = len(compactjson.dumps(value))
        reason = (
            f"the return value of task '{task_id}' is {size_bytes} bytes of JSON, the limit is "
            f"{limit}; write it to a file or a store and return where it is"
        )
    except (TypeError, ValueError, RecursionError) as error:
        where = jsonhint.first_not_json(value) or error
        reason = f"the return value of task '{task_id}' is not JSON: {where}"
    return exitcode.Verdict(exitcode.RESULT_INVALID, reason)
