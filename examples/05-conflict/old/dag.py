"""One of two DAGs that need versions of one library which cannot be installed together."""

from leoflow import dag, task


@task
def version() -> str:
    import packaging

    return packaging.__version__


@task
def legacy_versions_parse() -> bool:
    from packaging.version import parse

    try:
        return bool(str(parse("2004-spring")))
    except ValueError:
        return False


@dag
def conflict() -> None:
    version() >> legacy_versions_parse()


conflict()
