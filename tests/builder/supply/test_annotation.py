"""What manifest and index say of an image."""

import pytest
from leoflow_builder.supply.annotation import (
    BadEpoch,
    created_time,
    index_annotations,
    manifest_annotations,
)
from leoflow_builder.supply.gitsource import GitSource

SPEC = f"sha256:{'1' * 64}"
SOURCE = GitSource("https://example.org/dags.git", "f" * 40, dirty=False)


def test_a_manifest_says_only_what_its_content_decides() -> None:
    assert manifest_annotations("weather", SPEC, 1_700_000_000) == {
        "io.leoflow.dag_id": "weather",
        "io.leoflow.spec": SPEC,
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.title": "weather",
    }


def test_an_index_says_where_the_content_came_from_as_well() -> None:
    said = index_annotations("weather", SPEC, 0, SOURCE, "1.4")
    assert said["org.opencontainers.image.source"] == "https://example.org/dags.git"
    assert said["org.opencontainers.image.revision"] == "f" * 40
    assert said["org.opencontainers.image.version"] == "1.4"
    assert manifest_annotations("weather", SPEC, 0).items() <= said.items()


def test_a_changed_checkout_shows_in_the_revision() -> None:
    said = index_annotations("weather", SPEC, 0, GitSource(None, "f" * 40, dirty=True))
    assert said["org.opencontainers.image.revision"] == "f" * 40 + "-dirty"
    assert "org.opencontainers.image.source" not in said


def test_without_a_source_index_and_manifest_say_the_same() -> None:
    assert index_annotations("a", SPEC, 0, None) == manifest_annotations("a", SPEC, 0)


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [({}, 315_619_200), ({"SOURCE_DATE_EPOCH": ""}, 315_619_200), ({"SOURCE_DATE_EPOCH": "0"}, 0)],
)
def test_the_time_is_source_date_epoch_or_that_of_the_layers(
    environment: dict[str, str], seconds: int
) -> None:
    assert created_time(environment) == seconds


@pytest.mark.parametrize("text", ["yesterday", "-1", "1.5", "253402300800", "٣"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadEpoch, match="SOURCE_DATE_EPOCH is"):
        created_time({"SOURCE_DATE_EPOCH": text})
