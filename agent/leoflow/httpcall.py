"""``task.http_api``: a task that sends a request. Imported only for DAGs that have one."""

import leoflow
from leoflow import registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

HTTP_FIELDS = (
    "url",
    "method",
    "headers",
    "query",
    "body",
    "timeout_seconds",
    "success_codes",
    "execution_mode",
    "connect_timeout_seconds",
    "request_retries",
    "retry_codes",
    "poll",
    "pagination",
    "save_as",
)


class HttpCall:
    """What ``task.http_api`` is."""

    def __call__(self, **fields: "Any") -> "Any":
        """Add a task that sends one HTTP request; only inside of a DAG function."""
        place = registry.caller()
        known = leoflow.TASK_OPTIONS + HTTP_FIELDS
        options = leoflow.placed(fields, known, "task.http_api")
        node = registry.Node("http_api", None, place)
        node.kwargs = leoflow.copied({name: fields[name] for name in HTTP_FIELDS if name in fields})
        node.options = {name: options[name] for name in leoflow.TASK_OPTIONS if name in options}
        graph = registry.current
        if graph is None or "task_id" not in fields or "url" not in fields:
            from leoflow import mistake

            registry.report(mistake.incomplete_http_api(fields, place))
            return registry.Reference(node)
        return graph.add(node, "http_api")

    def __getattr__(self, name: str) -> "NoReturn":
        if name[:2] == "__":
            raise AttributeError(name)
        from leoflow import mistake

        raise mistake.unknown_http_attribute(name, registry.caller())


http_api = HttpCall()
