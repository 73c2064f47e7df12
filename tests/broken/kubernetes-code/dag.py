from leoflow import dag, task


@task(kubernetes={"tolerations": [{"key": "gpu", "effect": "noSchedule"}], "hostNetwork": True})
def extract():
    return [1, 2]


@task(kubernetes={"volume_mounts": [{"name": "models", "mountPath": "/models"}]})
def load(rows):
    print(rows)


@dag(staging={"size": "1Gi", "storageClass": "fast"})
def project():
    rows = extract()
    load(rows)
    task.http_api(task_id="ask", url="https://api.example", kubernetes={"labels": {"a": "b"}})


project()
