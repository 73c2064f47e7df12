from leoflow import dag, task


@task
def extract():
    return 'x' * 300_000


@task
def load(rows):
    print(rows)


@dag
def project():
    load(extract())


project()
