"""What the images of leoflow itself hold, and that Pods look for it where it is."""

from __future__ import annotations

from leoflow_builder.recipe import known_versions
from leoflow_builder.systemimage import ownlayer
from leoflow_controlplane.pod import mounted


def test_pods_take_the_agents_from_where_the_image_has_them():
    assert mounted.AGENTS_FOLDER == ownlayer.AGENTS_FOLDER
    assert mounted.ANY_PYTHON == ownlayer.ANY_PYTHON
    assert set(mounted.AGENT_PYTHONS) == set(known_versions())


def test_the_server_s_image_has_all_of_leoflow_and_no_bytecode_of_the_host_s():
    sources = ownlayer.own_sources()
    assert {name.partition("/")[0] for name in sources} == set(ownlayer.PACKAGES)
    assert "leoflow_base_images/python3.13.toml" in sources
    assert not [name for name in sources if name.endswith(".pyc")]
