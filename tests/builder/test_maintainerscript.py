"""What is read out of the scripts that nobody runs."""

from leoflow_builder.maintainerscript import Alternative, alternatives, unmet

INSTALL = """\
#!/bin/sh
# update-alternatives --install in a comment
update-alternatives --install /usr/bin/editor editor /bin/nano 40 \\
    --slave /usr/share/man/man1/editor.1.gz editor.1.gz /usr/share/man/man1/nano.1.gz
"""


def test_alternatives_are_read_with_their_slaves() -> None:
    assert alternatives(INSTALL) == (
        [
            Alternative("usr/bin/editor", 40, "bin/nano"),
            Alternative("usr/share/man/man1/editor.1.gz", 40, "usr/share/man/man1/nano.1.gz"),
        ],
        True,
    )


def test_the_end_of_a_command_ends_its_slaves() -> None:
    found, readable = alternatives(
        "update-alternatives --install /usr/bin/a a /usr/bin/b 1 || true"
    )
    assert readable
    assert found == [Alternative("usr/bin/a", 1, "usr/bin/b")]


def test_what_takes_a_shell_to_read_is_told() -> None:
    assert alternatives('update-alternatives --install "$LINK" a "$TARGET" 10') == ([], False)


def test_what_matters_and_is_not_run_is_named() -> None:
    script = "if ! getent passwd x; then\n  /usr/sbin/adduser --system x\nfi\n# useradd\n"
    assert unmet(script) == ["adduser"]


def test_a_script_that_changes_nothing_a_task_sees_names_nothing() -> None:
    assert unmet("#!/bin/sh\nset -e\nldconfig\nexit 0\n") == []
