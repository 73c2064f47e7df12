"""By which name a node pulls an image."""

from __future__ import annotations

import pytest
from leoflow_controlplane.pod.image import pinned

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("reg.example/a/b:1", f"reg.example/a/b@{DIGEST}"),
        ("reg.example:5000/a", f"reg.example:5000/a@{DIGEST}"),
        ("localhost/a:1", f"localhost/a@{DIGEST}"),
        # Loaded into the nodes, which know it by its name.
        ("leoflow/a:1", "leoflow/a:1"),
        ("reg.example/a@sha256:b", "reg.example/a@sha256:b"),
    ],
)
def test_an_image_of_a_registry_is_pulled_by_its_digest(reference: str, expected: str) -> None:
    assert pinned(reference, DIGEST) == expected
    assert pinned(reference, None) == reference
