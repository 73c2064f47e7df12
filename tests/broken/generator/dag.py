from leoflow import dag, task


@task
def extract():
    yield 1


@task
def load(rows):
    print(rows)


@dag
def project():
    load(extract())


project()
