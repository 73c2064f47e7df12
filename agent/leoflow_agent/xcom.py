"""What a task leaves for others: JSON within the limit. Imported with the first value."""

from leoflow_agent import compactjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow_agent.wire import Workload


def returned(value: object, workload: "Workload") -> str:
    """Return the message that says what a task returned; Verdict if it cannot be an XCom."""
    task_id, limit = workload["context"]["task_id"], workload["xcom_limit_bytes"]
    try:
        document = compactjson.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        from leoflow_agent import exitcode, jsonhint

        where = jsonhint.first_not_json(value)
        raise exitcode.Verdict(
            exitcode.RESULT_INVALID,
            f"the return value of task '{task_id}' is not JSON: {where or error}",
        ) from None
    if len(document) > limit:
        from leoflow_agent import exitcode

        raise exitcode.Verdict(
            exitcode.RESULT_INVALID,
            f"the return value of task '{task_id}' is {len(document)} bytes of JSON, the limit is "
            f"{limit}; write it to a file or a store and return where it is",
        )
    return '{"key":"return_value","value":' + document + "}"
