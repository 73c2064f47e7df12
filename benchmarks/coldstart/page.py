"""Puts figures into the pages that show them, between marks, with the command that made them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.build.process import BenchError
from benchmarks.coldstart.chart import draw
from benchmarks.coldstart.table import edge_table, ratio_table, scenario_table, setting_table

ROOT = Path(__file__).parents[2]
PICTURE, DATA = Path("docs/coldstart.svg"), Path("docs/coldstart.json")
DECISION = "docs/adr/0014-what-the-engine-costs.md"
BEGIN, END = "<!-- {} -->", "<!-- end of {} -->"
# What is drawn, and what it is called there.
DRAWN = {
    "static": "a static program",
    "bare": "bare Python",
    "noop": "no-op task",
    "input": "task with 10 KB of input",
    "bash": "bash task",
    "pandas": "task that imports pandas",
    "naive": "no-op, naive agent",
}

Document = Mapping[str, Any]


def write_pages(document: Document, root: Path = ROOT) -> None:
    """Write picture, data and tables; BenchError if a page lacks the marks for them."""
    (root / PICTURE).write_text(draw(document, DRAWN), encoding="utf-8")
    (root / DATA).write_text(json.dumps(document) + "\n", encoding="utf-8")
    for page, name, text in _blocks(document):
        if text:
            path = root / page
            written = replace_block(path.read_text(encoding="utf-8"), name, text)
            if written is None:
                raise BenchError(f"'{page}' has no lines '{BEGIN.format(name)}' … to write between")
            path.write_text(written, encoding="utf-8")


def replace_block(page: str, name: str, text: str) -> str | None:
    """Return the page with ``text`` between the marks of this name; None if they are not there."""
    before, begin, rest = page.partition(BEGIN.format(name) + "\n")
    _, end, after = rest.partition(END.format(name))
    if not begin or not end:
        return None
    return f"{before}{begin}{text}\n{end}{after}"


def source(document: Document) -> str:
    """Say in one line how figures came about, and on what machine."""
    machine = document["machine"]
    return (
        f"`{document['command']}`, commit {document['commit']}: {machine['cores']} cores "
        f"({machine['architecture']}), Linux {machine['kernel']}, engine {machine['engine']}, "
        f"{machine['runtime']}, {machine['storage_driver']} ({machine['image_store']} image "
        f"store), load average {machine['load_average'][0]} at its start."
    )


def _blocks(document: Document) -> list[tuple[str, str, str]]:
    said = source(document)
    main = [scenario_table(document), ratio_table(document)]
    edge, settings = edge_table(document), setting_table(document)
    return [
        ("README.md", "coldstart", _paragraphs(main, said)),
        ("docs/benchmarks.md", "coldstart", _paragraphs(main, said)),
        ("docs/benchmarks.md", "coldstart edge", _paragraphs([edge], said)),
        (DECISION, "coldstart settings", _paragraphs([settings], said)),
    ]


def _paragraphs(parts: list[str], said: str) -> str:
    known = [part for part in parts if part]
    return "\n\n".join([*known, said]) if known else ""
