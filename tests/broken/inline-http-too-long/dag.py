from leoflow import dag, task


@task
def extract():
    return [1, 2]


@task
def load(rows):
    print(rows)


@dag
def project():
    task.http_api(task_id="poll", url="http://localhost/", execution_timeout_seconds=900)


project()
