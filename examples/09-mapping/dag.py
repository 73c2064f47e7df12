"""One task for each file that is found at run time, one for each of their results, and one over
all of them."""

from pathlib import Path

from leoflow import dag, task

FOLDER = Path(__file__).with_name("readings")


@task
def find_files() -> list:
    return sorted(path.name for path in FOLDER.glob("*.csv"))


@task
def read(file: str, header_lines: int) -> list:
    rows = (FOLDER / file).read_text().splitlines()[header_lines:]
    return [int(row.split(",")[1]) for row in rows]


@task
def mean(degrees: list, ti) -> dict:
    return {"file": ti.map_index, "mean": sum(degrees) / len(degrees)}


@task.bash
def show(station: str, unit: str) -> str:
    return f"echo '{station} in {unit}'"


@task
def report(files: list, means: list, shown: list) -> str:
    warmest = max(means, key=lambda one: one["mean"])
    return f"{len(shown)} stations, the warmest file is {files[warmest['file']]}"


@dag(description="As many tasks as there are files, known at run time only")
def mapping():
    files = find_files()
    degrees = read.partial(header_lines=1).expand(file=files)
    means = mean.expand(degrees=degrees)
    stations = [{"station": "Graz", "unit": "C"}, {"station": "Boise", "unit": "F"}]
    report(files, means, show.expand_kwargs(stations))


mapping()
