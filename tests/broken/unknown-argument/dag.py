from leoflow import dag, task


@task(retry=3)
def extract():
    return [1, 2]


@task(retry_delay=60, pool="slow")
def load(rows):
    print(rows)


@dag
def project():
    load(extract())


project()
