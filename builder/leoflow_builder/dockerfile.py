"""Writes an image plan as a Dockerfile. Pure: the same plan gives the same text.

There is no RUN in it, so nothing of the build depends on what runs where.
"""

from __future__ import annotations

import json

from leoflow_builder.plan import ImagePlan

STACK = "leoflow-layers"


def render_dockerfile(plan: ImagePlan, stacked: bool = True) -> str:
    """Return the Dockerfile of a plan.

    ``stacked``: all layers are there as an image, the build context named STACK, and are taken as
    they are. Else the context holds `NAME.tar` for each; a tar keeps the times of folders,
    which a copied folder would lose, and each is linked: it does not depend on those below.
    """
    lines = ["ARG SOURCE_DATE_EPOCH"]
    if stacked:
        lines.append(f"FROM {STACK}")
    else:
        lines.append(f"FROM {plan.base_reference or 'scratch'}")
        lines += [f"ADD --link {name}.tar /" for name, _ in plan.layers]
    for index, name in enumerate(multiline_names(plan)):
        lines.append(f"ARG LEOFLOW_TEXT_{index}")
        lines.append(f'ENV {name}="${{LEOFLOW_TEXT_{index}}}"')
    lines += [f"ENV {name}={_quoted(value)}" for name, value in plan.environment if _fits(value)]
    lines += [f"LABEL {name}={_quoted(value)}" for name, value in plan.labels]
    lines += [f"USER {plan.user}", "CMD []", f"ENTRYPOINT {json.dumps(list(plan.entrypoint))}"]
    return "\n".join(lines) + "\n"


def build_arguments(plan: ImagePlan) -> dict[str, str]:
    """Return the values that a Dockerfile cannot spell: those of more than one line."""
    values = dict(plan.environment)
    names = multiline_names(plan)
    return {f"LEOFLOW_TEXT_{index}": values[name] for index, name in enumerate(names)}


def multiline_names(plan: ImagePlan) -> list[str]:
    """Return the variables whose value has more than one line."""
    return [name for name, value in plan.environment if not _fits(value)]


def _fits(value: str) -> bool:
    return not any(character in value for character in "\n\r")


def _quoted(value: str) -> str:
    for character in ("\\", '"', "$"):
        value = value.replace(character, f"\\{character}")
    return f'"{value}"'
