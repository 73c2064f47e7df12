"""Checks that what was built last is what was asked for, so that no figure is of a wrong image.

It runs after the measurement and outside of it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from benchmarks.build.contender import Contender, Place
from benchmarks.build.process import BenchError, Shell, output_of
from benchmarks.build.wheelhouse import FILLERS, Variant

QUESTION = f"""
FILLERS = {tuple(FILLERS)}
import hashlib, importlib.metadata, json, os, pandas, requests
code = os.environ.get("LEOFLOW_DAG_FOLDER", "/app") + "/dag.py"
with open(code, "rb") as file:
    digest = hashlib.sha256(file.read()).hexdigest()
found = {{"pandas": pandas.__version__, "requests": requests.__version__}}
small = {{one.name: one.version for one in importlib.metadata.distributions()}}
found |= {{name: small.get(name) for name in FILLERS}} | {{"code": digest}}
print(json.dumps(found))
"""


def prove(contender: Contender, place: Place, variant: Variant, shell: Shell) -> None:
    """Start the image and compare; BenchError if its packages or its code are others."""
    if contender.target == "layout":
        _prove_layout(place.layout)
        return
    reference = image_of(contender, place)
    if contender.target == "registry":
        shell.run(["docker", "pull", "--quiet", reference])
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python3.11"]
    found = json.loads(output_of([*command, reference, "-c", QUESTION]))
    wanted = {name: variant.pins.get(name) for name in ("pandas", "requests", *FILLERS)}
    code = (place.folder / "dag.py").read_bytes()
    wanted["code"] = hashlib.sha256(code).hexdigest()
    if found != wanted:
        raise BenchError(f"'{reference}' of {contender.name} has {found} instead of {wanted}")


def image_of(contender: Contender, place: Place) -> str:
    """Return the reference of what a contender built; leoflow chooses it for the engine."""
    if not contender.is_ours or contender.target == "registry":
        return place.reference
    written = json.loads((place.folder / "dag.json").read_text(encoding="utf-8"))
    return str(written["image"]["reference"])


def _prove_layout(layout: Path) -> None:
    index = json.loads((layout / "index.json").read_text(encoding="utf-8"))
    for one in index["manifests"]:
        blob = layout / "blobs" / one["digest"].replace(":", "/")
        if hashlib.sha256(blob.read_bytes()).hexdigest() != one["digest"].partition(":")[2]:
            raise BenchError(f"'{blob}' does not have the digest that it is named by")
