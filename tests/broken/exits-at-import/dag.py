from leoflow import dag, task


@task
def extract():
    return [1, 2]


@task
def load(rows):
    print(rows)


import sys
sys.exit('no config')


@dag
def project():
    load(extract())


project()
