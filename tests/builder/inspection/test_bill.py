"""The SBOM of an image: what its builder said, else what its lock says."""

from pathlib import Path

import pytest
from leoflow_builder.inspection.bill import NoBill, bill_of
from leoflow_builder.inspection.layout import LayoutFolder
from leoflow_builder.inspection.source import ImageSource

from .image_sample import BASE, SBOM, Sample, dag_layer, layout_files, make_sample, write_folder


def keep(sample: Sample, folder: Path) -> ImageSource:
    return LayoutFolder(write_folder(layout_files(sample), folder))


def test_an_sbom_that_is_kept_beside_the_image_is_taken_as_it_is(tmp_path: Path) -> None:
    bill = bill_of(keep(make_sample(), tmp_path), "linux/amd64")
    assert bill.attested
    assert bill.document == SBOM


def test_without_one_it_is_made_of_the_lock(tmp_path: Path) -> None:
    sample = Sample()
    sample.add_image(layers=[("base", BASE), ("dag", dag_layer())])
    bill = bill_of(keep(sample, tmp_path))
    assert not bill.attested
    components = bill.document["components"]
    assert isinstance(components, list)
    names = {one["name"]: one.get("purl") for one in components}
    assert names == {
        "pandas": "pkg:pypi/pandas@2.2.3",
        "debian": None,
        "leoflow": "pkg:pypi/leoflow",
    }


def test_an_image_that_is_not_leoflow_s_has_none(tmp_path: Path) -> None:
    sample = Sample()
    sample.add_image(layers=[("base", BASE)])
    with pytest.raises(NoBill, match="no SBOM beside it"):
        bill_of(keep(sample, tmp_path))
