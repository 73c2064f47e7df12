from leoflow import dag, task


@dag
def project():
    job = task.http_api(task_id="begin", url="http://localhost/jobs", method="POST")
    task.http_api(
        task_id="endless",
        url=job,
        execution_mode="pod",
        poll={"until": {"path": "state", "equals": "done"}},
    )
    task.http_api(
        task_id="rare",
        url=job,
        execution_timeout_seconds=60,
        poll={"until": {"status": 200}, "interval_seconds": 60},
    )
    task.http_api(
        task_id="both",
        url=job,
        poll={"until": {"status": 404}},
        pagination={"next": "link_header"},
        save_as="rows.json",
    )
    task.http_api(
        task_id="path",
        url=job,
        poll={"until": {"path": "jobs[first].state", "equals": "done"}, "fail": {}},
    )


project()
