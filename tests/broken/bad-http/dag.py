from leoflow import dag, task


@task
def extract():
    return [1, 2]


@task
def load(rows):
    print(rows)


@dag
def project():
    task.http_api(task_id="call", url="localhost", method="FETCH")
    task.http_api(task_id="bare", urls=1)


project()
