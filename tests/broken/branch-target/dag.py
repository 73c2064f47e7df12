from leoflow import dag, task, task_group


@task.branch
def choose(params):
    if params['big']:
        return ['large', 'lage']
    return 'small' if params['small'] else None


@task
def large(): ...


@task_group
def inner():
    @task
    def small(): ...

    small()


@dag(params={'big': True, 'small': False})
def project():
    choose() >> [large(), inner()]


project()
