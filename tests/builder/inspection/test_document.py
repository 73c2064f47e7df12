"""Documents that anybody may have written are read strictly, and never crash."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder.inspection.choice import fits
from leoflow_builder.inspection.document import read_config, read_manifest
from leoflow_builder.inspection.failure import BrokenImage

WORDS = st.sampled_from(["", "linux", "digest", "size", "sha256:0", "platform", "Env", "diff_ids"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["manifests", "layers", "config", "annotations", "rootfs", "history", "os", "architecture"]
)


@given(st.dictionaries(KEYS, JSON))
def test_whatever_it_is_it_is_read_or_refused(document: dict[str, Any]) -> None:
    for read in (read_manifest, read_config):
        with suppress(BrokenImage):
            read(document, "a test")


def test_a_refusal_says_what_it_is_about() -> None:
    with pytest.raises(BrokenImage, match="a test is no configuration of an image"):
        read_config({"rootfs": 3}, "a test")


def test_what_a_configuration_leaves_out_is_empty() -> None:
    config = read_config(json.loads('{"os": "linux", "architecture": "arm64"}'), "a test")
    assert (config.platform, config.user, config.entrypoint) == ("linux/arm64", "", ())


@pytest.mark.parametrize(
    ("offered", "wanted", "does"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm/v7", "linux/arm", True),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/arm64", "linux/arm", False),
        ("windows/amd64", "linux/amd64", False),
    ],
)
def test_a_platform_without_variant_is_satisfied_by_one_with(
    offered: str, wanted: str, does: bool
) -> None:
    assert fits(offered, wanted) is does
