from leoflow import dag, task


@dag
def http_undeclared():
    task.http_api(
        task_id="orders",
        url="https://api.example.org/orders",
        headers={"Authorization": {"env": "AIRFLOW_CONN_API", "part": "basic"}},
        variables=["token"],
    )


http_undeclared()
