"""Package URLs, which other tools look vulnerabilities up by."""

import pytest
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.lock import LockedPackage
from leoflow_builder.supply.contents import (
    ImageContents,
    OwnBaseImage,
    base_purl,
    deb_purl,
    leoflow_purl,
    wheel_purl,
)
from packageurl import PackageURL

from .example import CONTENTS, DEBS, OWN, WHEELS


def test_a_wheel_s_local_version_is_escaped() -> None:
    assert wheel_purl(WHEELS[1]) == "pkg:pypi/torch@2.5.1%2Bcpu"


def test_a_deb_names_its_architecture_and_the_release_by_number() -> None:
    assert deb_purl(DEBS[0], "bookworm") == (
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?arch=amd64&distro=debian-12"
    )


def test_an_unknown_suite_keeps_its_name() -> None:
    assert deb_purl(DEBS[0], "sid").endswith("&distro=debian-sid")


def test_a_base_of_the_user_s_own_keeps_port_and_tag() -> None:
    purl = PackageURL.from_string(base_purl(OWN))
    assert (purl.type, purl.name, purl.version) == ("oci", "python", OWN.digest)
    assert isinstance(purl.qualifiers, dict)
    assert purl.qualifiers["repository_url"] == "registry.example.org:5000/team/Python"
    assert purl.qualifiers["tag"] == "3.11"


@pytest.mark.parametrize(
    "purl",
    [
        *(wheel_purl(one) for one in WHEELS),
        *(deb_purl(one, "trixie") for one in DEBS),
        deb_purl(DebPackage("libstdc++6", "12.2.0-14", "amd64", "f" * 64), "bookworm"),
        wheel_purl(LockedPackage("zope-interface", "1!2.0rc1", "z.whl", "f" * 64)),
        base_purl(OwnBaseImage("python", f"sha256:{'3' * 64}")),
        base_purl(OWN),
        leoflow_purl("0.1.0"),
    ],
)
def test_a_package_url_is_spelt_as_the_library_spells_it(purl: str) -> None:
    assert PackageURL.from_string(purl).to_string() == purl


def test_contents_can_be_of_no_packages_at_all() -> None:
    assert ImageContents("a", "sha256:0", "linux/amd64", "0.1.0", "3.11.2").wheels == ()
    assert CONTENTS.suite == "bookworm"
