"""The SBOM as SPDX: valid, whole, and the same bytes for the same contents."""

import json
from dataclasses import replace
from typing import Any

import pytest
from leoflow_builder.supply.contents import ImageContents
from leoflow_builder.supply.sbom import make_sbom
from leoflow_builder.supply.spdx import make_spdx
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from .example import CONTENTS, OWN

OTHERS = replace(CONTENTS, own_base=OWN, debs=(), suite=None, leoflow_version=None)


def document(contents: ImageContents = CONTENTS) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(make_spdx(contents, 1_700_000_000))
    return parsed


@pytest.mark.parametrize("contents", [CONTENTS, OTHERS])
def test_it_satisfies_spdx_s_own_validator(contents: ImageContents) -> None:
    parsed = JsonLikeDictParser().parse(document(contents))
    assert validate_full_spdx_document(parsed) == []


@pytest.mark.parametrize("contents", [CONTENTS, OTHERS])
def test_it_lists_what_cyclonedx_lists(contents: ImageContents) -> None:
    def purls(packages: list[dict[str, Any]]) -> set[str]:
        found = (one.get("externalRefs", [{}])[0].get("referenceLocator") for one in packages)
        return {one for one in found if one}

    components = json.loads(make_sbom(contents))["components"]
    assert purls(document(contents)["packages"]) == {
        one["purl"] for one in components if "purl" in one
    }
    assert len(document(contents)["packages"]) == 1 + len(components)


def test_the_same_contents_in_another_order_give_the_same_bytes() -> None:
    other = replace(CONTENTS, wheels=CONTENTS.wheels[::-1], debs=CONTENTS.debs[::-1])
    assert make_spdx(other, 0) == make_spdx(CONTENTS, 0)


def test_no_two_documents_have_the_same_namespace() -> None:
    other = document(replace(CONTENTS, title="other"))
    assert other["documentNamespace"] != document()["documentNamespace"]


def test_a_package_has_its_hash() -> None:
    (pandas,) = [one for one in document()["packages"] if one["name"] == "pandas"]
    assert pandas["checksums"] == [{"algorithm": "SHA256", "checksumValue": "a" * 64}]
    assert pandas["versionInfo"] == "2.2.3"
