"""What tells the names of containers, volumes and Pods apart that read alike. Pure."""

from __future__ import annotations

import hashlib

from leoflow_controlplane.model import RunKey, TryKey


def digest_key(realm_id: str, key: TryKey | RunKey) -> str:
    """Give twelve hexadecimal digits: the same for the same try or run of a realm, else others."""
    return hashlib.sha256("\0".join((realm_id, *map(str, key))).encode()).hexdigest()[:12]
