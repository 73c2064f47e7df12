from leoflow import dag, task


@task
def extract():
    return [1, 2]


@task(trigger_rule='all_sucess')
def load(rows):
    print(rows)


@task(trigger_rule='dummy')
def report(): ...


@dag
def project():
    load(extract())
    report()


project()
