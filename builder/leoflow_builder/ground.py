"""What a DAG's image stands on. A value, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from leoflow_builder.installation import Installation


@dataclass(frozen=True)
class Ground:
    """What a DAG's image stands on: a platform, a Python, perhaps an image of the user's own.

    Of that image are ``environment``, ``further_sites`` (folders of packages beside the one that is
    installed into) and ``has_pth``: whether these folders hold .pth files.
    """

    platform: str
    place: Installation
    base_reference: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    further_sites: tuple[str, ...] = ()
    has_pth: bool = False
