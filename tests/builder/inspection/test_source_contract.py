"""What every place that keeps images does, whichever it is."""

import pytest
from leoflow_builder.inspection.attested import predicate_types, predicates
from leoflow_builder.inspection.choice import find_image
from leoflow_builder.inspection.failure import BrokenImage, PlatformUnknown
from leoflow_builder.inspection.source import Pointer, open_verified
from leoflow_builder.inspection.view import see_image

from .conftest import EVERYWHERE, KINDS, Keep
from .image_sample import SBOM, make_sample

everywhere = pytest.mark.parametrize("keep", EVERYWHERE, indirect=True)
every_kind = pytest.mark.parametrize("keep", KINDS, indirect=True)
AMD64 = "linux/amd64"


@every_kind
def test_an_image_is_seen_with_all_that_is_in_it(keep: Keep) -> None:
    view = see_image(keep(make_sample()), "a", AMD64).view
    assert (view.platform, view.config.user, view.config.environment) == (
        AMD64,
        "65532:65532",
        {"A": "1"},
    )
    assert [layer.name for layer in view.layers] == ["base", "deps", "dag"]
    assert [layer.files for layer in view.layers] == [2, 1, 3]
    assert view.layers[1].unpacked_bytes == len(b"Name: pandas")
    assert view.dag is not None
    assert [task.task_id for task in view.dag.tasks] == ["load"]
    assert [(one.name, one.version) for one in view.packages] == [("pandas", "2.2.3")]
    assert view.suite == "trixie"


@everywhere
def test_the_digest_is_the_manifest_s(keep: Keep) -> None:
    sample = make_sample()
    source = keep(sample)
    assert find_image(source, AMD64).digest == sample.entries[0]["digest"]
    assert find_image(source, "linux/arm64").digest == sample.entries[1]["digest"]


@everywhere
def test_annotations_of_manifest_and_index_are_told_apart(keep: Keep) -> None:
    view = see_image(keep(make_sample()), "a", AMD64).view
    assert view.annotations == {"io.leoflow.dag_id": "weather"}
    assert view.index_annotations["org.opencontainers.image.revision"] == "f" * 40


@everywhere
def test_what_is_said_about_an_image_is_found_beside_it(keep: Keep) -> None:
    source = keep(make_sample())
    found = find_image(source, AMD64)
    assert predicate_types(source, found.attestations) == (
        "https://cyclonedx.org/bom",
        "https://slsa.dev/provenance/v1",
    )
    assert predicates(source, found.attestations, "https://cyclonedx.org/bom") == [SBOM]
    assert find_image(source, "linux/arm64").attestations == ()


@everywhere
def test_a_missing_platform_is_told_with_those_that_there_are(keep: Keep) -> None:
    with pytest.raises(
        PlatformUnknown, match=r"'linux/riscv64'\. It has 'linux/amd64', 'linux/arm"
    ):
        find_image(keep(make_sample()), "linux/riscv64")


@everywhere
def test_of_several_platforms_this_machine_s_own_is_taken(keep: Keep) -> None:
    source = keep(make_sample())
    assert find_image(source, None, own="linux/arm64").platform == "linux/arm64"
    with pytest.raises(PlatformUnknown, match="--platform"):
        find_image(source, None, own="linux/riscv64")


@pytest.mark.parametrize("keep", ["folder", "archive", "engine"], indirect=True)
def test_a_changed_blob_is_refused(keep: Keep) -> None:
    sample = make_sample()
    layer = _layers(sample)[0]
    sample.blobs[layer] = sample.blobs[layer].replace(b"python", b"pythom")
    with pytest.raises(BrokenImage, match=f"'{layer}' has the content of 'sha256:"):
        see_image(keep(sample), "a", AMD64)


@pytest.mark.parametrize("keep", ["folder", "archive", "engine"], indirect=True)
def test_a_blob_that_was_cut_short_is_refused(keep: Keep) -> None:
    for number in range(3):
        sample = make_sample()
        layer = _layers(sample)[number]
        sample.blobs[layer] = sample.blobs[layer][:-30]
        with pytest.raises(BrokenImage, match="bytes instead of"):
            see_image(keep(sample), "a", AMD64)


@pytest.mark.parametrize("keep", ["folder", "archive", "engine"], indirect=True)
def test_a_missing_blob_is_told_with_its_digest(keep: Keep) -> None:
    sample = make_sample()
    layer = _layers(sample)[2]
    del sample.blobs[layer]
    with pytest.raises(BrokenImage, match=f"lacks the blob '{layer}'"):
        see_image(keep(sample), "a", AMD64)


@every_kind
def test_content_that_nobody_has_is_an_error_of_leoflow_s(keep: Keep) -> None:
    from leoflow_builder.failure import BuildError

    source = keep(make_sample())
    nothing = Pointer("application/octet-stream", f"sha256:{'0' * 64}", 3)
    with pytest.raises(BuildError), open_verified(source, nothing) as stream:
        stream.read()


def _layers(sample: object) -> list[str]:
    import json

    from .image_sample import Sample

    assert isinstance(sample, Sample)
    manifest = json.loads(sample.blobs[sample.entries[0]["digest"]])
    return [one["digest"] for one in manifest["layers"]]
