"""Everything that is said of an image, beside the image."""

import json

from leoflow_builder.supply.describe import describe_image
from leoflow_builder.supply.provenance import BuildRun
from leoflow_builder.supply.statement import Subject

from .example import CONTENTS

IMAGE = Subject("team/weather", f"sha256:{'9' * 64}")


def test_both_bills_of_materials_and_the_provenance_are_about_the_image() -> None:
    made = describe_image(IMAGE, CONTENTS, BuildRun("oci"), 0)
    said = [json.loads(one.source) for one in made.blobs[1:]]
    assert [one["predicateType"] for one in said] == [
        "https://cyclonedx.org/bom",
        "https://spdx.dev/Document",
        "https://slsa.dev/provenance/v1",
    ]
    assert {one["subject"][0]["digest"]["sha256"] for one in said} == {"9" * 64}
    assert said[0]["predicate"]["bomFormat"] == "CycloneDX"


def test_the_same_build_says_the_same() -> None:
    first, second = (describe_image(IMAGE, CONTENTS, BuildRun("oci"), 0) for _ in "ab")
    assert first == second
