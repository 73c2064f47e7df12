"""What this machine's apt says about the way to Debian, and what a mirror says about packages."""

from pathlib import Path

import pytest
from leoflow_builder.aptindex import AptIndex, UnknownPackage, parse_offers
from leoflow_builder.debian import mirrors, mirrors_among
from leoflow_builder.debpackage import DebPackage

SHOWN = """\
Package: zlib1g
Version: 1:1.2.13.dfsg-1
Architecture: amd64
Description: compression library
 Filename: not this one
Filename: pool/main/z/zlib/zlib1g_1.2.13.dfsg-1_amd64.deb
SHA256: d7dd1d1411fedf27f5e27650a6eff20ef294077b568f4c8c5e51466dc7c08ce4

Package: virtual
"""


def test_only_debians_own_archives_are_taken_from_apt() -> None:
    targets = [
        "nodistro\tmain\thttp://other.example/node",
        "bookworm\tstable\thttp://other.example/engine",
        "bookworm\tmain\thttp://mirror.example/debian/",
        "bookworm\tmain\thttp://second.example/debian/",
        "bookworm-security\tmain\thttp://mirror.example/security/",
    ]
    assert mirrors_among("\n".join(targets)) == {
        "": "http://mirror.example/debian/",
        "-security": "http://mirror.example/security/",
    }


def test_the_mirror_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEOFLOW_DEBIAN_MIRROR", "http://a.example http://b.example")
    assert mirrors() == {"": "http://a.example", "-security": "http://b.example"}


def test_what_apt_shows_of_a_package_is_read() -> None:
    (offer,) = parse_offers(SHOWN)
    digest = "d7dd1d1411fedf27f5e27650a6eff20ef294077b568f4c8c5e51466dc7c08ce4"
    assert offer.package == DebPackage("zlib1g", "1:1.2.13.dfsg-1", "amd64", digest)
    assert offer.filename == "pool/main/z/zlib/zlib1g_1.2.13.dfsg-1_amd64.deb"


@pytest.mark.parametrize("name", ["git=1", "git/sid", "-o", "a b", "Git", "lib*", "git:arm64"])
def test_a_name_that_apt_reads_more_into_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownPackage):
        AptIndex("bookworm", "amd64", tmp_path).closure([name])
