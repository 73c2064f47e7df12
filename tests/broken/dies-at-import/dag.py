from leoflow import dag, task


@task
def extract():
    return [1, 2]


@task
def load(rows):
    print(rows)


import os
os._exit(3)


@dag
def project():
    load(extract())


project()
