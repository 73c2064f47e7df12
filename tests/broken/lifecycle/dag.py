from leoflow import dag, setup, task, teardown


@setup
def make(): ...


@task(trigger_rule='all_done')
def work(): ...


@teardown
@task(trigger_rule='always')
def remove(): ...


@teardown
@setup
def both(): ...


@dag
def project():
    make() >> work() >> remove()
    both()


project()
