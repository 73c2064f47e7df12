"""What a user may ask of a build, as one value that can be compared with an earlier one.

Standard library only: an unchanged build reads this and little else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class BuildWish:
    """``tag`` None: made of the dag_id and the content. ``builder`` is "oci" or "buildkit".

    ``output`` is a folder for an OCI layout, or a file that ends in .tar for an archive; with
    ``push`` the image goes to the registry that ``tag`` names. Without both it goes into the
    engine. ``platforms`` are such as "linux/amd64"; none: this machine's. With ``locked``
    leoflow.lock has to fit.
    """

    tag: str | None = None
    builder: str = "oci"
    output: Path | None = None
    push: bool = False
    platforms: tuple[str, ...] = ()
    locked: bool = False

    @property
    def into_engine(self) -> bool:
        """Whether the image is for the container engine."""
        return self.output is None and not self.push

    def as_json(self) -> dict[str, object]:
        """Return what was asked for, with the output's path whole."""
        output = None if self.output is None else str(self.output.absolute())
        return {**asdict(self), "output": output}
