"""Attestations have the form that BuildKit's documentation gives."""

import hashlib
import json

from leoflow_builder.supply.attestation import make_attestation
from leoflow_builder.supply.statement import Subject, make_statement

IMAGE = f"sha256:{'9' * 64}"
SUBJECT = Subject("team/weather", IMAGE)
STATEMENTS = [
    make_statement(SUBJECT, "https://cyclonedx.org/bom", {"bomFormat": "CycloneDX"}),
    make_statement(SUBJECT, "https://slsa.dev/provenance/v1", {"buildDefinition": {}}),
]


def test_a_statement_names_the_image_by_its_digest() -> None:
    assert json.loads(STATEMENTS[0].content) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "team/weather", "digest": {"sha256": "9" * 64}}],
        "predicateType": "https://cyclonedx.org/bom",
        "predicate": {"bomFormat": "CycloneDX"},
    }


def test_the_index_lists_it_where_no_engine_takes_it_for_an_image() -> None:
    entry = make_attestation(IMAGE, STATEMENTS).descriptor()
    assert entry["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert entry["platform"] == {"architecture": "unknown", "os": "unknown"}
    assert entry["annotations"] == {
        "vnd.docker.reference.digest": IMAGE,
        "vnd.docker.reference.type": "attestation-manifest",
    }


def test_each_layer_is_a_statement_whose_type_can_be_read_without_it() -> None:
    layers = json.loads(make_attestation(IMAGE, STATEMENTS).manifest.source)["layers"]
    assert {one["mediaType"] for one in layers} == {"application/vnd.in-toto+json"}
    assert [one["annotations"]["in-toto.io/predicate-type"] for one in layers] == [
        one.predicate_type for one in STATEMENTS
    ]


def test_everything_that_the_manifest_names_is_among_the_blobs() -> None:
    made = make_attestation(IMAGE, STATEMENTS)
    manifest = json.loads(made.manifest.source)
    sizes = {one.digest: len(one.source) for one in made.blobs}
    for named in (manifest["config"], *manifest["layers"]):
        assert sizes[named["digest"]] == named["size"]
    for blob in made.blobs:
        assert blob.digest == f"sha256:{hashlib.sha256(blob.source).hexdigest()}"


def test_the_configuration_belongs_to_no_platform() -> None:
    config = json.loads(make_attestation(IMAGE, STATEMENTS).blobs[0].source)
    assert (config["os"], config["architecture"]) == ("unknown", "unknown")
    assert len(config["rootfs"]["diff_ids"]) == 2
