"""An image of a real engine, which saves it as it likes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from leoflow_builder.inspection.place import Doors, open_image
from leoflow_builder.inspection.view import see_image
from leoflow_builder.oci.engine_images import open_images

from .image_sample import docker_files, make_sample, tar_of


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[str]:
    """The name of a sample that the engine has for as long as the test runs."""
    name = f"leoflow-test/inspect-{uuid4().hex[:12]}:1"
    archive = tmp_path / "image.tar"
    archive.write_bytes(tar_of(docker_files(make_sample(), name)))
    subprocess.run(["docker", "load", "--input", archive], check=True, capture_output=True)
    yield name
    subprocess.run(["docker", "image", "rm", name], check=True, capture_output=True)


@pytest.mark.engine
@pytest.mark.parametrize("prefix", ["", "docker-daemon:"])
def test_what_an_engine_has_is_seen(loaded: str, prefix: str) -> None:
    with open_image(prefix + loaded, Doors(open_images)) as opened:
        view = see_image(opened.source, loaded, "linux/amd64", opened.tag).view
    assert [layer.name for layer in view.layers] == ["base", "deps", "dag"]
    assert view.dag is not None
    assert view.dag.dag_id == "weather"
