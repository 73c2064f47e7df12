"""Writes the tables for people, in Markdown, out of the document that is kept. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]

SETTINGS, AS_IT_IS = "settings", "set_nothing"

STEPS = {
    "child_end": "the agent sees the end of the task's process",
    "report": "its report has arrived",
    "commit": "it is durable, the next try is handed out",
    "dispatch": "the executor has it",
    "request": "the engine is asked for a container",
    "create": "created",
    "start": "started",
    "agent": "the agent is about to import user code",
    "import": "imported",
    "run": "the first line",
}


def tables(document: Document) -> str:
    """Return all tables of a document, those that are empty left out."""
    parts = [scenario_table(document), ratio_table(document), edge_table(document)]
    parts.append(setting_table(document))
    return "\n\n".join(part for part in parts if part)


def scenario_table(document: Document) -> str:
    """Return a line for each scenario: its whole time, and its CPU where that is known."""
    lines = [
        "| what | median ms | p95 | min | n | CPU of the container, ms | before user code |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    shown = [one for one in document["scenarios"].values() if one["group"] != SETTINGS]
    if not shown:
        return ""
    for one in shown:
        figures = one["figures"]
        if not figures:
            lines.append(f"| {one['title']} | | | | 0 | {one['fault']} | |")
            continue
        total = figures["total"]
        cpu = [_median(figures, name) for name in ("cpu", "cpu_before_user_code")]
        lines.append(
            f"| {one['title']} | {amount(total['median'])} | {amount(total['p95'])} "
            f"| {amount(total['min'])} | {total['n']} | {cpu[0]} | {cpu[1]} |"
        )
    return "\n".join(lines)


def ratio_table(document: Document) -> str:
    """Return a line for each ratio, with what it is a ratio of."""
    if not document["ratios"]:
        return ""
    lines = ["| ratio | of medians | of minima | medians, ms |", "|---|--:|--:|---|"]
    for one in document["ratios"]:
        above, below = map(amount, one["median_ms"])
        least = "" if one["min"] is None else f"{one['min']:.2f}"
        lines.append(f"| {one['what']} | {one['median']:.2f} | {least} | {above} / {below} |")
    return "\n".join(lines)


def edge_table(document: Document) -> str:
    """Return the way from the end of one task's code to the next one's, step by step."""
    figures = document["scenarios"].get("edge", {}).get("figures")
    if not figures:
        return ""
    lines = [
        "| from the end of user code until | median ms | p95 | min |",
        "|---|--:|--:|--:|",
    ]
    names = [*STEPS, "to_create_request", "total"]
    titles = {
        **STEPS,
        "to_create_request": "**all until the engine is asked**",
        "total": "**all until the first line**",
    }
    for name in names:
        one = figures[name]
        lines.append(
            f"| {titles[name]} | {amount(one['median'])} | {amount(one['p95'])} "
            f"| {amount(one['min'])} |"
        )
    return "\n".join(lines)


def setting_table(document: Document) -> str:
    """Return what each setting of the engine changes, against a container as tries have it.

    A difference is the median of the differences within a round, which a slow minute leaves alone.
    """
    found = {name: one for name, one in document["scenarios"].items() if one["group"] == SETTINGS}
    if not found.get(AS_IT_IS, {}).get("figures"):
        return ""
    lines = [
        "| setting | create, ms | start, ms | all, ms | p95 | n | difference |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for one in found.values():
        if one["figures"]:
            lines.append(_setting_line(one, found[AS_IT_IS]))
        else:
            lines.append(f"| {one['title']} | | | | | 0 | {one['fault']} |")
    return "\n".join(lines)


def _setting_line(one: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    figures, pairs = one["figures"], zip(one["raw"]["total"], usual["raw"]["total"], strict=False)
    total = figures["total"]
    create, start = (amount(figures[name]["median"]) for name in ("create", "start"))
    difference = statistics.median(own - other for own, other in pairs)
    told = "" if one is usual else f"{difference:+.0f}"
    return (
        f"| {one['title']} | {create} | {start} | {amount(total['median'])} "
        f"| {amount(total['p95'])} | {total['n']} | {told} |"
    )


def amount(milliseconds: float) -> str:
    """Write milliseconds with two digits that matter, or whole."""
    if abs(milliseconds) < 10:
        return f"{milliseconds:.1f}"
    return f"{milliseconds:,.0f}"


def _median(figures: Mapping[str, Mapping[str, float]], name: str) -> str:
    return amount(figures[name]["median"]) if name in figures else ""
