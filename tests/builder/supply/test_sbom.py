"""The SBOM: valid, whole, and the same bytes for the same contents."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from leoflow_builder.supply.sbom import make_sbom

from .example import CONTENTS, OWN


def document(**changes: Any) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(make_sbom(replace(CONTENTS, **changes)))
    return parsed


def component(name: str, **changes: Any) -> dict[str, Any]:
    found = [one for one in document(**changes)["components"] if one["name"] == name]
    assert len(found) == 1
    first: dict[str, Any] = found[0]
    return first


def test_it_satisfies_the_schema_of_cyclonedx_1_6() -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    for contents in (CONTENTS, replace(CONTENTS, own_base=OWN, debs=(), suite=None)):
        for created in (None, 0, 1_700_000_000):
            assert validator.validate_str(make_sbom(contents, created).decode()) is None


def test_the_same_contents_in_another_order_give_the_same_bytes() -> None:
    other = replace(CONTENTS, wheels=CONTENTS.wheels[::-1], debs=CONTENTS.debs[::-1])
    assert make_sbom(other) == make_sbom(CONTENTS)


def test_another_process_with_other_hashes_gives_the_same_bytes() -> None:
    code = (
        "import sys; from leoflow_builder.supply.contents import ImageContents as C;"
        "from leoflow_builder.supply.sbom import make_sbom as m;"
        "sys.stdout.buffer.write(m(C('a', 'sha256:0', 'linux/amd64', '1', '3.11.2'), 5))"
    )
    run = [sys.executable, "-c", code]
    first, second = (subprocess.run(run, capture_output=True, check=True).stdout for _ in "ab")
    assert first == second != b""


def test_the_serial_number_is_made_of_the_contents() -> None:
    assert document()["serialNumber"] == document()["serialNumber"]
    assert document()["serialNumber"] != document(title="other")["serialNumber"]


def test_without_a_time_there_is_none() -> None:
    assert "timestamp" not in document()["metadata"]
    stamped = json.loads(make_sbom(CONTENTS, 1_700_000_000))
    assert stamped["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"


def test_a_wheel_has_its_package_url_and_hash() -> None:
    pandas = component("pandas")
    assert (pandas["version"], pandas["purl"]) == ("2.2.3", "pkg:pypi/pandas@2.2.3")
    assert pandas["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]


def test_a_debian_package_has_its_package_url_and_hash() -> None:
    tzdata = component("tzdata")
    assert tzdata["purl"] == "pkg:deb/debian/tzdata@1:2024a-0?arch=all&distro=debian-12"
    assert tzdata["hashes"] == [{"alg": "SHA-256", "content": "e" * 64}]


def test_the_distribution_is_named_so_that_scanners_know_it() -> None:
    debian = component("debian")
    assert (debian["type"], debian["version"]) == ("operating-system", "12")


def test_leoflow_s_own_agent_is_in_it() -> None:
    assert component("leoflow")["purl"] == "pkg:pypi/leoflow@0.1.0"


def test_a_base_of_the_user_s_own_is_named_by_its_digest() -> None:
    base = component(OWN.reference, own_base=OWN)
    assert (base["type"], base["version"]) == ("container", OWN.digest)
    assert component("cpython", own_base=OWN)["version"] == "3.11.2"


def test_the_image_depends_on_everything_in_it() -> None:
    sbom = document()
    (root,) = [one for one in sbom["dependencies"] if one["ref"] == "dag:weather"]
    assert root["dependsOn"] == sorted(one["bom-ref"] for one in sbom["components"])
    assert sbom["metadata"]["component"]["bom-ref"] == "dag:weather"


def test_the_library_is_imported_only_when_an_sbom_is_made() -> None:
    code = "import sys, leoflow_builder.supply.sbom; sys.exit('cyclonedx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
