"""How an image came to be, as SLSA's provenance says it."""

import json
from dataclasses import replace
from typing import Any

from leoflow_builder.supply.gitsource import GitSource
from leoflow_builder.supply.provenance import BUILD_TYPE, BuildRun, make_provenance

from .example import CONTENTS, OWN

SOURCE = GitSource("https://example.org/team/dags.git", "f" * 40, dirty=False)
RUN = BuildRun("oci", {"tag": "team/weather:1"}, base="r1", source=SOURCE)


def document(run: BuildRun = RUN, **changes: Any) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(make_provenance(replace(CONTENTS, **changes), run))
    return parsed


def test_it_has_the_fields_that_the_specification_requires() -> None:
    provenance = document()
    assert provenance["buildDefinition"]["buildType"] == BUILD_TYPE
    assert provenance["buildDefinition"]["externalParameters"]["dag_id"] == "weather"
    assert provenance["runDetails"]["builder"]["id"].startswith("https://")


def test_what_the_user_chose_is_an_external_parameter_and_the_rest_internal() -> None:
    definition = document()["buildDefinition"]
    assert definition["externalParameters"]["options"] == {"tag": "team/weather:1"}
    assert definition["externalParameters"]["platform"] == "linux/amd64"
    assert definition["internalParameters"]["builder"] == "oci"
    assert definition["internalParameters"]["base"] == "r1"


def test_every_wheel_and_deb_is_a_resolved_dependency_with_its_hash() -> None:
    found = document()["buildDefinition"]["resolvedDependencies"]
    digests = {one["uri"]: one["digest"] for one in found}
    assert digests["pkg:pypi/pandas@2.2.3"] == {"sha256": "a" * 64}
    assert len(found) == 1 + len(CONTENTS.wheels) + len(CONTENTS.debs)


def test_the_commit_is_a_resolved_dependency() -> None:
    first = document()["buildDefinition"]["resolvedDependencies"][0]
    assert first == {
        "uri": "git+https://example.org/team/dags.git",
        "digest": {"gitCommit": "f" * 40},
    }


def test_a_changed_checkout_is_not_passed_off_as_its_commit() -> None:
    changed = document(replace(RUN, source=replace(SOURCE, dirty=True)))["buildDefinition"]
    assert not [one for one in changed["resolvedDependencies"] if one["uri"].startswith("git+")]
    assert changed["externalParameters"]["source"]["dirty"] is True


def test_a_base_of_the_user_s_own_is_a_resolved_dependency() -> None:
    found = document(own_base=OWN)["buildDefinition"]["resolvedDependencies"]
    assert {"sha256": "2" * 64} in [one["digest"] for one in found]


def test_times_are_told_only_if_they_are_given() -> None:
    assert document()["runDetails"]["metadata"] == {}
    timed = document(replace(RUN, started=0, finished=60, invocation_id="ci/7"))
    assert timed["runDetails"]["metadata"] == {
        "invocationId": "ci/7",
        "startedOn": "1970-01-01T00:00:00Z",
        "finishedOn": "1970-01-01T00:01:00Z",
    }


def test_the_order_of_packages_does_not_show() -> None:
    other = replace(CONTENTS, wheels=CONTENTS.wheels[::-1], debs=CONTENTS.debs[::-1])
    assert make_provenance(other, RUN) == make_provenance(CONTENTS, RUN)
