"""Fills the package caches of both sides with every wheel that a comparison will ask for.

What it builds has dependencies that no measured build has, so no layer of a measured build is made.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.build.contender import leoflow
from benchmarks.build.process import Shell
from benchmarks.build.rivalbase import PYTHON
from benchmarks.build.scenario import Workshop, write_project, write_settings
from benchmarks.build.wheelhouse import requirements_lock, warming_variants

INSTALL = {
    "pip": "pip install --target",
    "uv": "uv pip install --python /opt/venv --link-mode copy --target",
}


def warm_leoflow(work: Path, shell: Shell) -> None:
    """Build projects that have every version of every wheel between them."""
    folder = work / "warm-leoflow"
    write_project(folder, with_dockerfiles=False)
    for variant in warming_variants():
        write_settings(folder, variant.requirements)
        shell.run(leoflow("lock", str(folder)))
        shell.run(leoflow("build", str(folder)))


def warm_rivals(work: Path, index_url: str, shop: Workshop) -> None:
    """Install every version of each wheel into throw-away folders of one image per tool."""
    folder = work / "warm-rivals"
    folder.mkdir(exist_ok=True)
    locks = folder / "locks"
    locks.mkdir(exist_ok=True)
    for number, variant in enumerate(warming_variants()):
        text = requirements_lock(variant, shop.wheels, shop.salt)
        (locks / f"{number}.txt").write_text(text, encoding="utf-8")
    for tool, install in INSTALL.items():
        dockerfile = folder / f"Dockerfile.{tool}"
        dockerfile.write_text(_dockerfile(tool, install), encoding="utf-8")
        command = ["docker", "buildx", "build", "--network", "host", "--output", "type=cacheonly"]
        command += ["--build-arg", f"INDEX_URL={index_url}", "--file", str(dockerfile)]
        shop.shell.run([*command, str(folder)])


def _dockerfile(tool: str, install: str) -> str:
    loop = (
        f"for lock in /tmp/locks/*; do {install} /tmp/site --no-deps --require-hashes "
        '--index-url "$INDEX_URL" -r $lock && rm -r /tmp/site || exit 1; done'
    )
    return (
        f"FROM {PYTHON}\nARG INDEX_URL\n"
        f"RUN --mount=type=cache,id=leoflow-bench-{tool},target=/root/.cache/{tool} "
        f"--mount=type=bind,source=locks,target=/tmp/locks {loop}\n"
    )
