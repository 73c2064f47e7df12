from leoflow import dag, task


@task
def extract():
    return [1, 2]


@task
def load(rows):
    print(rows)


@dag(schedule='@daily', catchup=False)
def project():
    load(extract())


project()
