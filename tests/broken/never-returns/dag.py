import time

from leoflow import dag, task

while True:
    time.sleep(0.1)


@task
def extract():
    return [1, 2]


@task
def load(rows):
    print(rows)


@dag
def project():
    load(extract())


project()
