"""Holds what was just built to its budget: the image in the engine, and its known sizes."""

from __future__ import annotations

from collections.abc import Callable

from leoflow_builder.budget import Subject, check_budget, needs_start
from leoflow_builder.budgetreport import BudgetReport
from leoflow_builder.build import BuildResult
from leoflow_builder.describing import site_folder
from leoflow_builder.failure import BuildError
from leoflow_builder.oci.engine_images import open_images
from leoflow_builder.stopwatch import opened

Say = Callable[[str], None]


def measure_build(result: BuildResult, say: Say) -> BudgetReport:
    """Return how a build keeps to the budget in leoflow.yaml.

    BuildError if times are limited and the engine does not have the image.
    """
    project = result.assembly.project
    subject = Subject(
        project,
        result.spec,
        result.image.reference,
        result.compressed_bytes,
        result.layers,
        site_folder(result.assembly),
    )
    if not needs_start(project):
        return check_budget(subject, None, say)
    if open_images().find(result.image.reference) is None:
        raise BuildError(
            f"--check-budget starts '{result.image.reference}', which the engine does not have. "
            "Build without --output and --push, or limit compressed_mb alone"
        )
    with opened(result.image.reference) as stopwatch:
        return check_budget(subject, stopwatch, say)
