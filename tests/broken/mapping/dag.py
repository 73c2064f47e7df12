from leoflow import dag, task


@task
def load(day, region='north'): ...


@task.bash
def days():
    return 'echo 1 2 3'


@dag
def project():
    load.expand(day='monday')
    load.partial(region='south').expand(region=['north'], day=[1])
    load.partial(day=1).expand(regoin=['north'])
    load.expand(region=['north'])
    load.expand_kwargs([{'day': 1}, {'dya': 2}])
    load.expand(day=days())
    task.http_api.expand(url=['http://x/'])


project()
