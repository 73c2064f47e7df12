"""Draws where the time goes: a bar for each scenario, a piece for each phase, as SVG. Pure.

Colours follow the reader's light or dark setting; nothing is fetched, and no font is embedded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

# Phase, what it is called, its colour.
PHASES = (
    ("queue", "queue", "#8c959f"),
    ("create", "engine: create", "#0969da"),
    ("start", "engine: start", "#54aeff"),
    ("agent", "agent", "#d1242f"),
    ("import", "import", "#e8912d"),
    ("run", "run", "#2da44e"),
    ("report", "report", "#8250df"),
    ("end", "end noticed", "#c2c8cf"),
)
INSIDE = ("agent", "import", "run", "report")
# What a user imports is no part of the picture of what leoflow costs.
HEAVY_IMPORT_MS = 50.0
LEFT, WIDTH, RIGHT, ROW, BAR, TOP = 230, 540, 90, 30, 18, 74
STYLE = """
text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 } .dim { fill: #59636e; font-size: 12px }
.grid { stroke: #d1d9e0; stroke-width: 1 } .page { fill: #ffffff }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .dim { fill: #9198a1 } .grid { stroke: #3d444d } .page { fill: #0d1117 }
}
"""


class Row(NamedTuple):
    """A bar: its name, and milliseconds by phase."""

    name: str
    phases: Mapping[str, float]

    @property
    def total(self) -> float:
        """The length of the whole bar."""
        return sum(self.phases.values())


@dataclass(frozen=True)
class Panel:
    """Bars on a scale of their own."""

    title: str
    rows: Sequence[Row]

    @property
    def height(self) -> int:
        """What it takes, its title and its scale included."""
        return 30 + ROW * len(self.rows) + 50


def draw(document: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return the picture of the scenarios in ``names``, by what they are called in it."""
    rows = [_row(document["scenarios"].get(name), title) for name, title in names.items()]
    whole = [row for row in rows if row is not None]
    inside = [
        Row(row.name, {phase: row.phases[phase] for phase in INSIDE if phase in row.phases})
        for row in whole
        if "agent" in row.phases and row.phases["import"] < HEAVY_IMPORT_MS
    ]
    panels = [
        Panel("From “may run” to “durable”, medians in ms", whole),
        Panel("Inside the container, from its start, in ms", [*_interpreter(document), *inside]),
    ]
    return _picture([panel for panel in panels if panel.rows])


def _interpreter(document: Mapping[str, Any]) -> list[Row]:
    """Return what is compared with: the interpreter alone, until it prints a line."""
    line = document["scenarios"].get("bare_line", {"figures": {}})["figures"].get("first_line")
    return [] if line is None else [Row("bare Python, to its line", {"run": line["median"]})]


def _row(scenario: Mapping[str, Any] | None, title: str) -> Row | None:
    if scenario is None or not scenario["figures"]:
        return None
    figures = scenario["figures"]
    # A try's end is noticed after its verdict, and is no part of its way.
    left_out = "end" if "report" in figures else ""
    known = [phase for phase, _, _ in PHASES if phase in figures and phase != left_out]
    return Row(title, {phase: figures[phase]["median"] for phase in known})


def _picture(panels: Sequence[Panel]) -> str:
    width = LEFT + WIDTH + RIGHT
    height = TOP + sum(panel.height for panel in panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="Cold start by phase">',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{width}" height="{height}" rx="6"/>',
        *_legend(),
    ]
    top = TOP
    for panel in panels:
        parts += _panel(panel, top)
        top += panel.height
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> list[str]:
    parts, x = [], 20
    for _, name, colour in PHASES:
        parts.append(f'<rect x="{x}" y="20" width="12" height="12" rx="2" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="31">{escape(name)}</text>')
        x += 40 + 7 * len(name)
    return parts


def _panel(panel: Panel, top: int) -> list[str]:
    end = round_up(max(row.total for row in panel.rows))
    scale = WIDTH / end
    bottom = top + 30 + ROW * len(panel.rows)
    parts = [f'<text class="title" x="20" y="{top + 6}">{escape(panel.title)}</text>']
    for tick in range(5):
        x = LEFT + WIDTH * tick / 4
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{top + 22}" y2="{bottom}"/>')
        place = f'x="{x}" y="{bottom + 15}" text-anchor="middle"'
        parts.append(f'<text class="dim" {place}>{end * tick / 4:g}</text>')
    for number, row in enumerate(panel.rows):
        parts += _bar(row, top + 30 + ROW * number, scale)
    return parts


def _bar(row: Row, top: int, scale: float) -> list[str]:
    parts = [f'<text x="{LEFT - 12}" y="{top + 14}" text-anchor="end">{escape(row.name)}</text>']
    x = float(LEFT)
    for phase, name, colour in PHASES:
        length = row.phases.get(phase, 0.0) * scale
        if length > 0:
            told = escape(f"{row.name}, {name}: {row.phases[phase]:.1f} ms")
            parts.append(
                f'<rect x="{x:.1f}" y="{top}" width="{length:.1f}" height="{BAR}" '
                f'fill="{colour}"><title>{told}</title></rect>'
            )
        x += length
    total = f"{row.total:,.0f}" if row.total >= 10 else f"{row.total:.1f}"
    parts.append(f'<text x="{x + 8:.1f}" y="{top + 14}">{total} ms</text>')
    return parts


def round_up(value: float) -> float:
    """Return the next number of two digits at most that divides well by four."""
    unit = 1.0
    while unit * 10 <= value:
        unit *= 10
    while unit > value:
        unit /= 10
    steps = (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8)
    return next((unit * step for step in steps if unit * step >= value), unit * 10)
