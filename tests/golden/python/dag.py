from leoflow import dag, task


@task(retries=2, resources={"requests": {"memory": "1Gi"}, "limits": {"cpu": 2}})
def extract(year: int, options: dict[str, object]) -> list[int]:
    return [year, len(options)]


@task(artifacts=True, connections=["warehouse"])
def total(parts: list[list[int]], ds: str) -> int:
    print(ds)
    return sum(map(sum, parts))


@task.bash(execution_timeout_seconds=30)
def show(result: int) -> str:
    return f"echo {result}"


@dag(description="Every kind of task", tags=["golden"], params={"limit": 10, "place": None})
def golden():
    options = {"deep": [True, 1.5, "ä"]}
    result = total([extract(2012, options), extract(2013, options=options)])
    call = task.http_api(
        task_id="call",
        url="https://example.org/results",
        method="POST",
        headers={"X-Year": "2012"},
        query={"total": result},
        body={"rows": [result, None]},
        success_codes=[201],
        timeout_seconds=5,
        trigger_rule="all_done",
    )
    poll = task.http_api(
        task_id="poll",
        url="https://example.org/state",
        execution_mode="pod",
        execution_timeout_seconds=900,
        request_retries=5,
        poll={"until": {"path": "state", "none_of": ["queued", "running"]}},
    )
    call >> [show(result), poll]


golden()
