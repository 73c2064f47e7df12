"""http_api tasks: short calls run in the control plane, long ones in a container of their own.

Where the API is comes with the run: leoflow run examples/04-http --conf '{"api": "http://…"}'
"""

from leoflow import dag, task


@task
def address(params: dict) -> dict:
    return {"orders": params["api"] + "/orders", "invoices": params["api"] + "/invoices"}


@task
def orders_url(urls: dict) -> str:
    return urls["orders"]


@task
def invoices_url(urls: dict) -> str:
    return urls["invoices"]


@task
def total(orders: dict) -> float:
    return sum(order["amount"] for order in orders["orders"])


@dag(params={"api": "http://127.0.0.1:8080"})
def http() -> None:
    urls = address()
    orders = task.http_api(
        task_id="fetch_orders",
        url=orders_url(urls),
        query={"state": "open"},
        headers={"Accept": "application/json"},
    )
    task.http_api(
        task_id="send_invoice",
        url=invoices_url(urls),
        method="POST",
        body={"total": total(orders)},
        execution_mode="pod",
    )


http()
