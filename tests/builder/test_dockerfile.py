"""A plan as a Dockerfile: the same plan, the same text."""

from dataclasses import replace

import pytest
from leoflow_builder.dockerfile import build_arguments, render_dockerfile
from leoflow_builder.plan import ImagePlan

PLAN = ImagePlan(
    platform="linux/amd64",
    base_reference=None,
    layers=(("base", "sha256:1"), ("agent", "sha256:2"), ("dag", "sha256:3")),
    environment=(("LANG", "C.UTF-8"), ("TZ", "UTC")),
    user="65532:65532",
    entrypoint=("/usr/bin/python3.11", "-I", "-S", "/opt/leoflow/agent/main.pyc"),
    labels=(("io.leoflow.dag_id", "weather"),),
)
GOLDEN = """\
ARG SOURCE_DATE_EPOCH
FROM leoflow-layers
ENV LANG="C.UTF-8"
ENV TZ="UTC"
LABEL io.leoflow.dag_id="weather"
USER 65532:65532
CMD []
ENTRYPOINT ["/usr/bin/python3.11", "-I", "-S", "/opt/leoflow/agent/main.pyc"]
"""


def test_the_whole_text() -> None:
    assert render_dockerfile(PLAN) == GOLDEN


def test_layers_that_are_no_image_yet_are_added_one_by_one() -> None:
    added = "FROM scratch\nADD --link base.tar /\nADD --link agent.tar /\n"
    text = GOLDEN.replace("FROM leoflow-layers\n", f"{added}ADD --link dag.tar /\n")
    assert render_dockerfile(PLAN, stacked=False) == text


def test_nothing_is_run() -> None:
    assert "RUN" not in render_dockerfile(PLAN)


def test_an_image_of_the_user_s_own_is_started_from() -> None:
    plan = replace(PLAN, base_reference="my/base@sha256:9", layers=PLAN.layers[1:])
    assert "FROM my/base@sha256:9\nADD --link agent.tar" in render_dockerfile(plan, stacked=False)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a b", '"a b"'),
        ('say "hi"', r'"say \"hi\""'),
        ("$HOME", r'"\$HOME"'),
        ("C:\\x", r'"C:\\x"'),
        ("", '""'),
    ],
)
def test_values_are_taken_literally(value: str, written: str) -> None:
    assert f"ENV X={written}\n" in render_dockerfile(replace(PLAN, environment=(("X", value),)))


def test_a_value_of_several_lines_is_an_argument() -> None:
    plan = replace(PLAN, environment=(("A", "one"), ("B", "two\nlines")))
    assert 'ARG LEOFLOW_TEXT_0\nENV B="${LEOFLOW_TEXT_0}"\n' in render_dockerfile(plan)
    assert build_arguments(plan) == {"LEOFLOW_TEXT_0": "two\nlines"}
