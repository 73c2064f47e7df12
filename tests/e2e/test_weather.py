"""What the weather example comes to, against numbers out of the same data without pandas."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import defaultdict
from pathlib import Path

import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "02-weather"


def _millimetres_by_year(wheel) -> dict[str, float]:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("vega_datasets/_data/seattle-weather.csv").decode()
    sums: dict[str, float] = defaultdict(float)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 1461
    for row in rows:
        sums[row["date"][:4]] += float(row["precipitation"])
    return {year: round(total, 1) for year, total in sums.items()}


def test_rain_by_year_is_what_the_csv_file_says(tmp_path, pip_download):
    """That a run comes to what is expected is tested with the other examples."""
    expected = yaml.safe_load((EXAMPLE / "expect").read_text())["tasks"]["totals"]
    wheel = pip_download("vega_datasets==0.9.0", tmp_path)
    assert expected["return_value"] == _millimetres_by_year(wheel)
