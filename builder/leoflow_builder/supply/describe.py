"""All that leoflow says of an image it has built, in one call. Pure: same facts, same bytes."""

from __future__ import annotations

import json

from leoflow_builder.memo import FORGETFUL, Memo
from leoflow_builder.oci.layout import Attestation
from leoflow_builder.supply import provenance, sbom, spdx
from leoflow_builder.supply.attestation import make_attestation
from leoflow_builder.supply.contents import ImageContents
from leoflow_builder.supply.provenance import BuildRun
from leoflow_builder.supply.statement import Subject, make_statement


def describe_image(
    subject: Subject,
    contents: ImageContents,
    run: BuildRun,
    created: int,
    memo: Memo = FORGETFUL,
) -> Attestation:
    """Return the bills of materials and the provenance of an image, to be listed beside it.

    ``created`` is in seconds since the epoch, as from `annotation.created_time`.
    """
    said = {
        sbom.PREDICATE_TYPE: sbom.make_sbom(contents, created, memo),
        spdx.PREDICATE_TYPE: spdx.make_spdx(contents, created),
        provenance.PREDICATE_TYPE: provenance.make_provenance(contents, run),
    }
    statements = [make_statement(subject, kind, json.loads(one)) for kind, one in said.items()]
    return make_attestation(subject.digest, statements)
