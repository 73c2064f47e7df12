from leoflow import dag, task


@task
def load(day, region='north'): ...


@task.bash
def days():
    return 'echo 1 2 3'


@dag
def project():
    load.partial(day=1).expand(regoin=['north'])
    load.expand(region=['north'])
    load.expand_kwargs([{'day': 1}, {'dya': 2}])
    load.expand(day=days())


project()
