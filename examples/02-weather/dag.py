"""Four years of daily weather in Seattle: how much did it rain in each, and when?

The data are the 1,461 days that the package vega_datasets carries (NOAA, 2012 to 2015).
"""

import os
from pathlib import Path

from leoflow import dag, task

YEARS = ("2012", "2013", "2014", "2015")


@task
def extract() -> list:
    from vega_datasets import data

    frame = data.seattle_weather()
    frame["date"] = frame["date"].dt.strftime("%Y-%m-%d")
    print(f"{len(frame)} days from {frame['date'].min()} to {frame['date'].max()}")
    return frame[["date", "precipitation", "temp_max", "temp_min"]].values.tolist()


@task
def clean(rows: list) -> list:
    import pandas

    frame = pandas.DataFrame(rows, columns=["date", "precipitation", "temp_max", "temp_min"])
    kept = frame.dropna().drop_duplicates("date")
    kept = kept[kept["precipitation"] >= 0]
    print(f"kept {len(kept)} of {len(frame)} days")
    return kept[["date", "precipitation"]].values.tolist()


@task
def rain_by_month(rows: list, year: str) -> list:
    import pandas

    frame = pandas.DataFrame(rows, columns=["date", "precipitation"])
    frame = frame[frame["date"].str.startswith(year)]
    months = frame.groupby(frame["date"].str[5:7])["precipitation"].sum()
    return [round(millimetres, 1) for millimetres in months.tolist()]


@task
def totals(by_year: dict) -> dict:
    return {year: round(sum(months), 1) for year, months in by_year.items()}


@task(artifacts=True)
def report(by_year: dict, totals: dict) -> str:
    import pygal

    chart = pygal.Bar(
        title="Rain in Seattle by month (mm)",
        x_labels=[f"{month:02}" for month in range(1, 13)],
        js=(),
        explicit_size=True,
    )
    for year, months in by_year.items():
        chart.add(f"{year}: {totals[year]} mm", months)
    plot = Path(os.environ["LEOFLOW_ARTIFACTS"]) / "rain.svg"
    chart.render_to_file(str(plot))
    for year, millimetres in totals.items():
        print(f"{year}  {millimetres:7.1f} mm")
    return plot.name


@dag(description="Precipitation in Seattle, 2012 to 2015", tags=["demo"])
def weather() -> None:
    rows = clean(extract())
    by_year = {year: rain_by_month.override(task_id=f"rain_{year}")(rows, year) for year in YEARS}
    report(by_year, totals(by_year))


weather()
