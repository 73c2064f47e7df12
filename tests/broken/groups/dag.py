from leoflow import TaskGroup, dag, task, task_group


@task
def load(n=1): ...


@task_group(tooltip=3)
def part(n):
    load(n)


@task_group(ui_colour='red')
def other(): ...


@dag
def project():
    load()
    part(1) >> other
    with TaskGroup('load'):
        load(2)


project()
