"""A mirror that fails is told in apt's words, without its progress, and with what to do."""

from __future__ import annotations

import pytest
from leoflow_builder.aptfailure import explain

FETCH = "E: Failed to fetch http://m/debian/dists/bookworm/InRelease  "
NETWORK = "Check the network and apt's proxy, or set LEOFLOW_DEBIAN_MIRROR to"


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (FETCH + "Could not connect to m:80. - connect (111: Connection refused)", NETWORK),
        (FETCH + "Could not resolve 'm'", NETWORK),
        (FETCH + "Connection timed out [IP: 192.0.2.1 80]", NETWORK),
        (FETCH + "403  Forbidden [IP: 192.0.2.1 80]", NETWORK),
        (FETCH + "Hash Sum mismatch", "The mirror is being changed: try again"),
        (
            "E: The repository 'http://m bookworm Release' does not have a Release file.",
            "Is that a",
        ),
        ("E: Malformed entry 1 in list file /x/sources.list (URI parse)", "Is that a Debian"),
        (
            "W: GPG error: http://m bookworm InRelease: The following signatures couldn't be "
            "verified because the public key is not available: NO_PUBKEY 0E98404D386FA1D9\n"
            "E: The repository 'http://m bookworm InRelease' is not signed.",
            "Bring the keyring up to date",
        ),
        (
            "E: Release file for http://m/dists/bookworm/InRelease is not valid yet (invalid for "
            "another 30d).",
            "Set the clock of this machine right",
        ),
        (
            "E: Release file for http://m/dists/bookworm/InRelease is expired (invalid since 3d).",
            "Set the clock of this machine right, or set LEOFLOW_DEBIAN_MIRROR",
        ),
        ("E: Write error - write (28: No space left on device)", "Free some space, or set LEOFLOW"),
    ],
)
def test_each_failure_has_its_advice(said: str, advice: str) -> None:
    stderr = (
        f"{said}\nE: Some index files failed to download. They have been ignored, or old ones\n"
    )
    head, *lines, last = explain("asking", "apt-get", "Ign:1 http://m\n", stderr).splitlines()
    assert head == "asking failed, by apt-get:"
    assert lines == said.splitlines()
    assert last.startswith(advice)


def test_what_is_unknown_has_apts_words_alone() -> None:
    said = "E: Unable to correct problems, you have held broken packages."
    assert explain("asking", "apt-get", "", said) == f"asking failed, by apt-get:\n{said}"


def test_a_warning_does_not_hide_what_a_program_that_apt_runs_has_said() -> None:
    said = ["W: Download is performed unsandboxed as root", "dpkg-deb: error: not a Debian package"]
    assert explain("asking", "apt-get", "", "\n".join(said)).splitlines()[1:] == said


def test_a_program_that_says_no_more_is_shown_with_all_that_it_said() -> None:
    assert explain("asking", "apt-config", "out\n", "err\n").splitlines()[1:] == ["out", "err"]
