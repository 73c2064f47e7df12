"""How an image came to be, as SLSA provenance 1. Pure: it looks at no clock and no machine.

The fields are explained in docs/supply-chain.md. https://slsa.dev/spec/v1.0/provenance
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from leoflow_builder.supply.canonical import canonical_json, rfc3339
from leoflow_builder.supply.contents import ImageContents, base_purl, deb_purl, wheel_purl
from leoflow_builder.supply.gitsource import GitSource

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://leoflow.io/buildtypes/dag-image/v1"
# Of an image of leoflow itself, which has no DAG.
OWN_BUILD_TYPE = "https://leoflow.io/buildtypes/system-image/v1"
# Somebody's machine. A build service names itself instead.
LOCAL_BUILDER = "https://leoflow.io/builders/local/v1"
Option = str | int | bool | None
Json = Mapping[str, object]


@dataclass(frozen=True)
class BuildRun:
    """One run of a build. ``options`` are those that the user gave and that shape the image.

    ``started`` and ``finished`` are seconds since the epoch; without them the same build gives
    the same bytes. ``base`` is the digest of the recipe of leoflow's own base image.
    """

    builder: str
    options: Mapping[str, Option] = field(default_factory=dict)
    builder_id: str = LOCAL_BUILDER
    base: str | None = None
    source: GitSource | None = None
    invocation_id: str | None = None
    started: int | None = None
    finished: int | None = None


def make_provenance(contents: ImageContents, run: BuildRun) -> bytes:
    """Return the predicate in JSON; `statement.make_statement` says which image it is about."""
    return canonical_json(
        {
            "buildDefinition": {
                "buildType": OWN_BUILD_TYPE if contents.spec_digest is None else BUILD_TYPE,
                "externalParameters": {
                    "image" if contents.spec_digest is None else "dag_id": contents.title,
                    "options": dict(run.options),
                    "platform": contents.platform,
                    **({"source": _source(run.source)} if run.source else {}),
                },
                "internalParameters": _internal(contents, run),
                "resolvedDependencies": list(_dependencies(contents, run.source)),
            },
            "runDetails": {
                "builder": {
                    "id": run.builder_id,
                    "version": {"leoflow": contents.leoflow_version or "unknown"},
                },
                "metadata": _metadata(run),
            },
        }
    )


def _source(source: GitSource) -> Json:
    place = {} if source.url is None else {"repository": source.url}
    return {**place, "revision": source.revision, "dirty": source.dirty}


def _internal(contents: ImageContents, run: BuildRun) -> Json:
    known = {
        "base": run.base,
        "builder": run.builder,
        "python_version": contents.python_version,
        "spec": contents.spec_digest,
        "suite": contents.suite,
    }
    return {name: value for name, value in known.items() if value is not None}


def _dependencies(contents: ImageContents, source: GitSource | None) -> Iterator[Json]:
    # What was changed since a commit is not that commit: no digest then.
    if source is not None and source.url is not None and not source.dirty:
        yield {"uri": f"git+{source.url}", "digest": {"gitCommit": source.revision}}
    if contents.own_base is not None:
        algorithm, _, value = contents.own_base.digest.partition(":")
        yield {"uri": base_purl(contents.own_base), "digest": {algorithm: value}}
    for package in sorted(contents.debs):
        yield {"uri": deb_purl(package, contents.suite), "digest": {"sha256": package.sha256}}
    for wheel in sorted(contents.wheels):
        yield {
            "uri": wheel_purl(wheel),
            "name": wheel.filename,
            "digest": {"sha256": wheel.sha256},
        }


def _metadata(run: BuildRun) -> Json:
    metadata: dict[str, object] = {}
    if run.invocation_id is not None:
        metadata["invocationId"] = run.invocation_id
    if run.started is not None:
        metadata["startedOn"] = rfc3339(run.started)
    if run.finished is not None:
        metadata["finishedOn"] = rfc3339(run.finished)
    return metadata
