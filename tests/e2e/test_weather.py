"""The weather example against numbers that were computed without pandas, from the same data."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import defaultdict

import pytest


def _millimetres_by_year(wheel) -> dict[str, float]:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("vega_datasets/_data/seattle-weather.csv").decode()
    sums: dict[str, float] = defaultdict(float)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 1461
    for row in rows:
        sums[row["date"][:4]] += float(row["precipitation"])
    return {year: round(total, 1) for year, total in sums.items()}


@pytest.mark.engine
def test_rain_by_year_is_what_the_csv_file_says(leoflow, project, tmp_path, pip_download):
    code, run = leoflow.json("run", project("02-weather"), "--executor", "docker", timeout=600)
    assert code == 0
    totals = next(task for task in run["tasks"] if task["task_id"] == "totals")
    wheel = pip_download("vega_datasets==0.9.0", tmp_path)
    assert totals["return_value"] == _millimetres_by_year(wheel)
