"""http_api tasks: short calls run in the control plane, long ones in a container of their own.

Where the API is comes with the run: leoflow run examples/04-http --conf '{"api": "http://…"}'
"""

from leoflow import dag, task


@task
def address(path: str, params: dict) -> str:
    return params["api"] + path


@task
def total(orders: dict) -> float:
    return sum(order["amount"] for order in orders["orders"])


@dag(params={"api": "http://127.0.0.1:8080"})
def http() -> None:
    orders = task.http_api(
        task_id="fetch_orders",
        url=address("/orders"),
        query={"state": "open"},
        headers={"Accept": "application/json"},
    )
    task.http_api(
        task_id="send_invoice",
        url=address("/invoices"),
        method="POST",
        body={"total": total(orders)},
        execution_mode="pod",
    )


http()
