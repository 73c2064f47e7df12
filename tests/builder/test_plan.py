"""What is in an image, decided from values alone."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent.spec import DagSpec
from leoflow_builder.depslayer import Installation
from leoflow_builder.ground import Ground
from leoflow_builder.layer import Layer, LayerName
from leoflow_builder.plan import ImagePlan, default_tag, interpreter_options, plan_image

PLACE = Installation("/usr/bin/python3.11", "/usr/local/lib/python3.11/dist-packages")
GROUND = Ground("linux/amd64", PLACE)
SPEC = DagSpec("weather", "3.11", ())


def layer(name: LayerName, digest: str, tar: str = "x") -> Layer:
    return Layer(name, Path(tar), digest, digest, 1, 1, False)


def plan(spec: DagSpec = SPEC, digest: str = "sha256:1", has_pth: bool = False) -> ImagePlan:
    return plan_image(spec, b"{}", GROUND, [layer("base", digest)], has_pth)


def test_where_the_tars_lie_does_not_matter() -> None:
    one = plan_image(SPEC, b"{}", GROUND, [layer("dag", "sha256:1", "here")], False)
    other = plan_image(SPEC, b"{}", GROUND, [layer("dag", "sha256:1", "there")], False)
    assert one.content_key == other.content_key


def test_each_input_has_its_share_in_the_content_key() -> None:
    plans = [
        plan(),
        plan(digest="sha256:2"),
        plan(has_pth=True),
        plan(replace(SPEC, environment={"TZ": "UTC"})),
        plan(replace(SPEC, dag_id="other")),
        plan_image(SPEC, b"{ }", GROUND, [layer("base", "sha256:1")], False),
    ]
    assert len({one.content_key for one in plans}) == len(plans)


def test_a_declared_variable_wins_over_the_default() -> None:
    found = dict(plan(replace(SPEC, environment={"LANG": "de_DE.UTF-8"})).environment)
    assert found["LANG"] == "de_DE.UTF-8"


def test_the_agent_learns_where_everything_is() -> None:
    found = dict(plan(has_pth=True).environment)
    assert found["LEOFLOW_DAG_FOLDER"] == "/opt/leoflow/dag"
    assert found["LEOFLOW_SITE_FOLDER"] == PLACE.site_packages
    assert found["LEOFLOW_SITE_HAS_PTH"] == "1"


def test_an_image_below_has_its_own_path_and_folders_of_packages() -> None:
    ground = replace(
        GROUND,
        environment=(("PATH", "/opt/bin"), ("LANG", "C"), ("APP", "1")),
        further_sites=("/usr/lib/python3/dist-packages",),
        has_pth=True,
    )
    spec = replace(SPEC, environment={"LANG": "de_DE.UTF-8"})
    found = dict(plan_image(spec, b"{}", ground, [], False).environment)
    assert (found["PATH"], found["LANG"]) == ("/opt/bin", "de_DE.UTF-8")
    assert found["LEOFLOW_SITE_FOLDER"] == f"{PLACE.site_packages}:/usr/lib/python3/dist-packages"
    assert found["LEOFLOW_SITE_HAS_PTH"] == "1"
    assert "APP" not in found


def test_without_pth_files_the_agent_is_not_sent_to_look_for_them() -> None:
    assert "LEOFLOW_SITE_HAS_PTH" not in dict(plan().environment)


def test_the_task_runs_as_nobody_through_the_compiled_agent() -> None:
    found = plan()
    assert found.user == "65532:65532"
    assert found.entrypoint[0] == "/usr/bin/python3.11"
    assert found.entrypoint[-1].endswith("__main__.pyc")


@pytest.mark.parametrize(
    ("environment", "is_utf8"),
    [
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "de_DE.utf8@euro"}, True),
        ({"LANG": "C"}, True),
        ({}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LANG": "C.UTF-8", "LC_ALL": "de_DE.ISO-8859-1"}, False),
        ({"LANG": "de_DE", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "de_DE"}, False),
    ],
)
def test_the_interpreter_is_in_utf_8_mode_where_its_locale_is(
    environment: dict[str, str], is_utf8: bool
) -> None:
    options = interpreter_options(environment)
    assert options[:2] == ("-I", "-S")
    assert (options[2:] == ("-X", "utf8")) is is_utf8


@pytest.mark.parametrize(
    ("dag_id", "repository"),
    [("weather", "leoflow/weather"), ("a.b-c_d", "leoflow/a.b-c_d"), ("x1", "leoflow/x1")],
)
def test_a_dag_id_that_a_registry_allows_is_kept(dag_id: str, repository: str) -> None:
    assert default_tag(dag_id, plan()).partition(":")[0] == repository


DAG_IDS = st.from_regex(r"[A-Za-z0-9_.\-]{1,250}", fullmatch=True)
REPOSITORY = re.compile(r"leoflow/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*:[0-9a-f]{12}")


@given(DAG_IDS)
def test_every_dag_id_makes_a_valid_reference(dag_id: str) -> None:
    assert REPOSITORY.fullmatch(default_tag(dag_id, plan()))


@given(DAG_IDS, DAG_IDS)
def test_two_dag_ids_make_two_references(one: str, other: str) -> None:
    assert (default_tag(one, plan()) == default_tag(other, plan())) == (one == other)
