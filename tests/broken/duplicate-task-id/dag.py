from leoflow import dag, task


@task
def extract():
    return [1, 2]


@task
def load(rows):
    print(rows)


@dag
def project():
    load.override(task_id="copy")(extract())
    load.override(task_id="copy")(extract())


project()
