from leoflow import dag, task


@task
def load(): ...


@dag(schedule='@daily', catchup=True)
def project():
    load()


project()
