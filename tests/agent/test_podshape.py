"""What is known of Pods is what Kubernetes says of them, and everything that it says."""

from __future__ import annotations

import kubernetes_validate
from podshapewriter import NEWEST, TARGET, render


def test_the_shape_is_that_of_the_newest_kubernetes() -> None:
    assert TARGET.read_text(encoding="utf-8") == render(NEWEST)
    assert kubernetes_validate.latest_version() == f"{NEWEST}.0"
