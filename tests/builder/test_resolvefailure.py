"""What pip's log says about dependencies that could not be had, told to people."""

import pytest
from leoflow_builder.resolvefailure import explain, redact

MISSING = """pid 12 -> /x/python pip download --only-binary :all: {0} exited with 1 and STDERR:
pip: WARNING: Url 'file:///mirror/simple/x/' is ignored: it is neither a file nor a directory.
pip: ERROR: Could not find a version that satisfies the requirement {0}
pip: ERROR: No matching distribution found for {0}
"""
SOURCE_ONLY = """2026-01-01T00:00:00,1   Skipping link: No sources permitted for docopt: \
https://host/packages/docopt-0.6.2.tar.gz#sha256=49 (from https://host/simple/docopt/)
"""
LINK = """2026-01-01T00:00:00,1   Found link https://host/packages/pandas-{0}-cp311-cp311-\
manylinux2014_x86_64.whl#sha256=1 (from https://host/simple/pandas/), version: {0}
"""
UNREACHABLE = """2026-01-01T00:00:00,1 Could not fetch URL https://me:pass@host/simple/x/: \
connection error: HTTPSConnectionPool(host='host', port=443): Max retries exceeded - skipping
"""
CONFLICT = """pip: ERROR: Cannot install a==1 and b==1 because these have conflicting dependencies.
pip: The conflict is caused by:
pip:     a 1 depends on c<2
pip:     b 1 depends on c>=2
pip: ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/
"""


@pytest.mark.parametrize(
    ("stderr", "log", "kind"),
    [
        (MISSING.format("pandas==99"), LINK.format("2.2.3"), "no_version"),
        (MISSING.format("nothing-such"), "", "no_version"),
        (MISSING.format("docopt"), SOURCE_ONLY, "sdist_only"),
        (MISSING.format("x"), UNREACHABLE, "network"),
        (CONFLICT, "", "conflict"),
        ("pip: ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM", "", "hash"),
        ("pip: ERROR: something new", "", "other"),
        ("Failed to spawn a job for X(): [Errno 28] No space left on device", "", "other"),
    ],
)
def test_the_kind_of_failure(stderr: str, log: str, kind: str) -> None:
    assert explain(stderr, log).kind == kind


def test_a_full_disk_is_told_in_plain_words() -> None:
    stderr = "Failed to spawn a job for Request(platform='cp311'): [Errno 28] No space left: 'x'"
    message = explain(stderr, "").message
    assert message.startswith("the disk is full")
    assert "LEOFLOW_HOME" in message
    assert "Request" not in message


def test_a_missing_version_is_named_with_what_the_index_offers() -> None:
    log = "".join(LINK.format(version) for version in ("2.10.0", "2.2.3", "2.9.1"))
    failure = explain(MISSING.format("pandas==99"), log)
    assert failure.requirement == "pandas==99"
    assert "'pandas==99'" in failure.message
    assert "'2.10.0', '2.9.1', '2.2.3'" in failure.message


def test_a_dead_extra_index_does_not_hide_a_missing_version() -> None:
    log = UNREACHABLE + LINK.format("2.2.3")
    failure = explain(MISSING.format("pandas==99"), log)
    assert failure.kind == "no_version"
    assert "It may be in an index that could not be asked" in failure.message
    assert "me:pass" not in failure.message


def test_a_dependency_that_is_unknown_may_be_misspelt() -> None:
    message = explain(MISSING.format("pandsa"), "").message
    assert message.startswith("no index has 'pandsa'")


def test_source_only_names_the_way_to_a_wheel() -> None:
    message = explain(MISSING.format("docopt"), SOURCE_ONLY).message
    assert "`pip wheel 'docopt'`" in message


def test_a_source_archive_of_another_version_is_no_answer() -> None:
    failure = explain(MISSING.format("docopt==99"), SOURCE_ONLY)
    assert failure.kind == "no_version"


def test_a_conflict_is_told_in_the_resolver_s_words() -> None:
    message = explain(CONFLICT, "").message
    assert "    a 1 depends on c<2\n    b 1 depends on c>=2" in message


def test_no_password_is_shown() -> None:
    message = explain(MISSING.format("x"), UNREACHABLE).message
    assert "https://host/simple/x/" in message
    assert "pass" not in message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:secret@host/x", "https://host/x"),
        ("https://token@host/x", "https://host/x"),
        ("https://host/a@b", "https://host/a@b"),
    ],
)
def test_credentials_are_cut_out_of_addresses(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_the_command_and_the_warnings_are_left_out() -> None:
    stderr = MISSING.splitlines()[0] + "\n" + MISSING.splitlines()[1] + "\npip: ERROR: odd\n"
    assert explain(stderr, "").message == "the dependencies cannot be resolved:\nERROR: odd"
