"""One task whose module imports pandas, as users' modules do."""

import pandas
from leoflow import dag, task


@task
def version() -> None:
    print(pandas.__version__)


@dag
def with_pandas() -> None:
    version()


with_pandas()
