from leoflow import dag, task, task_group


@task
def load(n): ...


@task_group
def part(n):
    load(n)


@dag
def project():
    part.expand(n=[1, 2])


project()
