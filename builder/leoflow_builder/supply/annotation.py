"""What manifest and index say of an image, in OCI's words. Pure.

Why they differ: docs/adr/0011.
https://github.com/opencontainers/image-spec/blob/v1.1.0/annotations.md
"""

from __future__ import annotations

from collections.abc import Mapping

from leoflow_builder.failure import BuildError
from leoflow_builder.layertar import LAYER_TIME
from leoflow_builder.supply.canonical import rfc3339
from leoflow_builder.supply.gitsource import GitSource

EPOCH_VARIABLE = "SOURCE_DATE_EPOCH"
# The last second that RFC 3339, with four digits for the year, can say.
_LAST_SECOND = 253_402_300_799
_OCI = "org.opencontainers.image"
_OWN = "io.leoflow"


class BadEpoch(BuildError):
    """SOURCE_DATE_EPOCH holds no time."""


def created_time(environment: Mapping[str, str]) -> int:
    """Return SOURCE_DATE_EPOCH, or the fixed time that every file of a layer has.

    BadEpoch if it is set and no time. https://reproducible-builds.org/specs/source-date-epoch/
    """
    text = environment.get(EPOCH_VARIABLE, "")
    if not text:
        return LAYER_TIME
    if text.isascii() and text.isdigit() and int(text) <= _LAST_SECOND:
        return int(text)
    raise BadEpoch(
        f"{EPOCH_VARIABLE} is '{text}', which is no time. Set it to whole seconds since 1970, such "
        f"as the output of `git log -1 --format=%ct`, or unset it"
    )


def manifest_annotations(dag_id: str, spec_digest: str, created: int) -> dict[str, str]:
    """Return what a manifest says: functions of the content alone, as its digest is one."""
    return {
        f"{_OWN}.dag_id": dag_id,
        f"{_OWN}.spec": spec_digest,
        f"{_OCI}.created": rfc3339(created),
        f"{_OCI}.title": dag_id,
    }


def index_annotations(
    dag_id: str,
    spec_digest: str,
    created: int,
    source: GitSource | None,
    version: str | None = None,
) -> dict[str, str]:
    """Return what an index says: the manifest's, and where the content came from.

    A revision of a changed checkout ends in "-dirty".
    """
    found = manifest_annotations(dag_id, spec_digest, created)
    if version is not None:
        found[f"{_OCI}.version"] = version
    if source is not None:
        found[f"{_OCI}.revision"] = source.revision + ("-dirty" if source.dirty else "")
        if source.url is not None:
            found[f"{_OCI}.source"] = source.url
    return dict(sorted(found.items()))
