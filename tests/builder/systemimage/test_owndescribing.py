"""What is told of leoflow's own images beside them, from values alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from leoflow_builder.baseimage import BaseImage
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.layer import Layer
from leoflow_builder.supply import provenance, sbom, spdx
from leoflow_builder.supply.contents import ImageContents
from leoflow_builder.supply.provenance import BuildRun
from leoflow_builder.systemimage.owndescribing import agent_contents

LIBC = DebPackage("libc6", "2.41-12", "amd64", "c" * 64)
LAYER = Layer("base", Path("x"), "sha256:a", "sha256:a", 1, 1, False)
BASE = BaseImage(
    key="k",
    architecture="amd64",
    rootfs=Path("x"),
    layer=LAYER,
    python="/usr/bin/python3.13",
    site_packages="/x",
    python_version="3.13.5",
    glibc="2.41",
    packages=(LIBC,),
    debs=(LIBC, DebPackage("dash", "1", "amd64", "d" * 64)),
)


def bill(contents: ImageContents) -> dict[str, Any]:
    return dict(json.loads(sbom.make_sbom(contents)))


def test_the_image_of_agents_lists_what_its_base_was_made_of():
    document = bill(agent_contents(BASE, "3.13", "linux/amd64", "1.2"))
    root = document["metadata"]["component"]
    assert (root["name"], root["version"], root["bom-ref"]) == (
        "leoflow-agent",
        "1.2",
        "image:leoflow-agent",
    )
    assert {one["name"]: one["version"] for one in document["components"]} == {
        "debian": "13",
        "leoflow": "1.2",
        "libc6": "2.41-12",
    }


def test_without_a_base_there_is_nothing_but_leoflow():
    contents = agent_contents(None, "3.13", "linux/amd64", "1.2")
    assert [one["name"] for one in bill(contents)["components"]] == ["leoflow"]
    packages = json.loads(spdx.make_spdx(contents, 0))["packages"]
    assert [(one["name"], one["versionInfo"]) for one in packages] == [
        ("leoflow-agent", "1.2"),
        ("leoflow", "1.2"),
    ]


def test_the_provenance_of_leoflow_s_own_images_is_of_a_kind_of_its_own():
    contents = agent_contents(None, "3.13", "linux/amd64", "1.2")
    document = json.loads(provenance.make_provenance(contents, BuildRun("oci")))
    definition = document["buildDefinition"]
    assert definition["buildType"] == "https://leoflow.io/buildtypes/system-image/v1"
    assert definition["externalParameters"]["image"] == "leoflow-agent"
    assert "spec" not in definition["internalParameters"]
