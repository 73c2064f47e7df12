"""What the environment says about registries."""

from __future__ import annotations

import os
from collections.abc import Mapping

INSECURE_VARIABLE = "LEOFLOW_INSECURE_REGISTRIES"


def insecure_hosts(environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Return the hosts (with ports) that are spoken to without TLS: a list with commas."""
    named = environment.get(INSECURE_VARIABLE, "").split(",")
    return frozenset(host.strip() for host in named if host.strip())
