"""What leoflow asks of a folder to make its image; what is measured is in supervise.py."""

from leoflow import dag, task


@task
def nothing() -> None:
    pass


@dag
def airflow() -> None:
    nothing()


airflow()
