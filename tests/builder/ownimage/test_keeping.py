"""Images of others in the cache, and what of them goes into an image on top."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from keptsample import make_base, write_layout
from leoflow_builder.inspection.choice import find_image
from leoflow_builder.inspection.failure import BrokenImage
from leoflow_builder.inspection.layout import LayoutFolder
from leoflow_builder.oci.image import OciImage
from leoflow_builder.oci.presence import blob_path
from leoflow_builder.ownimage.keeping import KeptImage, keep_found, kept_image

LAYER = "application/vnd.oci.image.layer.v1.tar"


def keep(image: OciImage, folder: Path) -> KeptImage:
    layout = LayoutFolder(write_layout(image, folder / "layout"))
    return keep_found(layout, find_image(layout, None), folder / "home")


def test_an_image_is_kept_as_it_is(tmp_path: Path) -> None:
    image = make_base("a", "b")
    kept = keep(image, tmp_path)
    assert kept.digest == image.manifest.digest
    assert [one.digest for one in kept.image.layers] == [one.digest for one in image.layers]
    assert blob_path(kept.folder, kept.digest).read_bytes() == image.manifest.source
    assert kept_image(kept.digest, tmp_path / "home") == kept
    assert kept_image("sha256:none", tmp_path / "home") is None


def test_a_damaged_one_is_not_kept(tmp_path: Path) -> None:
    image = make_base("a", "b")
    layout = LayoutFolder(write_layout(image, tmp_path / "layout"))
    found = find_image(layout, None)
    blob_path(tmp_path / "layout", image.layers[1].digest).write_bytes(b"x")
    with pytest.raises(BrokenImage, match="damaged"):
        keep_found(layout, found, tmp_path / "home")
    assert kept_image(image.manifest.digest, tmp_path / "home") is None


def test_layers_below_have_the_media_types_of_what_they_are(tmp_path: Path) -> None:
    below = keep(make_base("a", "b"), tmp_path).below(has_leoflow=False)
    assert [one.media_type for one in below.layers] == [LAYER, f"{LAYER}+gzip"]
    assert [one["created_by"] for one in below.history] == ["me", "me"]


def test_what_leoflow_said_in_it_does_not_hold_for_what_is_on_top(tmp_path: Path) -> None:
    kept = keep(make_base("a"), tmp_path)
    config = kept.below(has_leoflow=False).config
    assert config["Env"] == ["PATH=/opt/bin", "A=b=c"]
    assert config["Labels"] == {"vendor": "me"}
    assert config["WorkingDir"] == "/work"
    assert {"OnBuild", "Healthcheck", "StopSignal"}.isdisjoint(config)
    assert kept.unfollowed == ["ONBUILD", "HEALTHCHECK", "STOPSIGNAL"]


def test_an_image_without_a_history_gets_an_entry_for_each_layer(tmp_path: Path) -> None:
    below = keep(make_base("a", "b", history=False), tmp_path).below(has_leoflow=False)
    assert [one["created_by"] for one in below.history] == [
        f"layer {one.digest}" for one in below.layers
    ]


def test_leoflow_s_own_folder_is_hidden_by_one_more_layer(tmp_path: Path) -> None:
    below = keep(make_base("a"), tmp_path).below(has_leoflow=True)
    hiding = below.layers[-1]
    assert below.diff_ids[-1] == hiding.digest
    assert len(below.history) == len(below.layers) == 2
    with tarfile.open(fileobj=io.BytesIO(b"".join(hiding.chunks()))) as archive:
        assert archive.getnames() == ["opt", "opt/.wh.leoflow"]
