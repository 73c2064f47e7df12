"""How the images of leoflow itself start, decided from values alone."""

from __future__ import annotations

from pathlib import Path

from leoflow_builder.installation import Installation
from leoflow_builder.layer import Layer, LayerName
from leoflow_builder.systemimage.ownplan import plan_agents, plan_server

PLACE = Installation("/usr/bin/python3.13", "/usr/local/lib/python3.13/dist-packages")


def layer(name: LayerName) -> Layer:
    return Layer(name, Path("x"), f"sha256:{name}", f"sha256:{name}", 1, 1, False)


def test_the_server_runs_without_privileges_in_a_home_that_is_its_own():
    plan = plan_server("linux/amd64", PLACE, [layer("base"), layer("leoflow")], "1.2", 0)
    assert plan.user == "65532:65532"
    assert plan.entrypoint[0] == PLACE.python
    assert plan.entrypoint[-2:] == ("/usr/local/bin/leoflow", "server")
    assert dict(plan.environment)["LEOFLOW_HOME"] == "/home/leoflow"


def test_an_image_says_which_leoflow_is_in_it():
    plan = plan_server("linux/amd64", PLACE, [layer("leoflow")], "1.2", 86_400)
    assert dict(plan.labels)["org.opencontainers.image.version"] == "1.2"
    assert dict(plan.annotations)["org.opencontainers.image.created"] == "1970-01-02T00:00:00Z"


def test_agents_without_a_base_cannot_be_started():
    assert plan_agents("linux/amd64", None, [layer("agents")], "1.2", 0).entrypoint == ()
    copying = plan_agents("linux/amd64", PLACE.python, [layer("base")], "1.2", 0)
    assert copying.entrypoint == (PLACE.python, "-I", "-S", "/opt/leoflow/agents/copy.py")
