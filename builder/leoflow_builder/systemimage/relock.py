"""``python -m leoflow_builder.systemimage.relock PYPROJECT``: writes the shipped lock anew.

For those who release leoflow: `make server-lock`. Versions are the newest that pyproject.toml
allows.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from leoflow_builder.locking import Upgrade
from leoflow_builder.lockproject import lock_project
from leoflow_builder.systemimage.ownproject import SHIPPED, project_for, wanted_requirements
from leoflow_builder.target import PLATFORMS


def main(pyproject: Path) -> None:
    """Lock what ``pyproject`` lists, for every platform."""
    requirements = wanted_requirements(pyproject.read_text(encoding="utf-8"))
    lock_project(
        project_for(SHIPPED, requirements),
        Path(os.environ.get("LEOFLOW_HOME") or Path.home() / ".leoflow"),
        lambda text: print(text, file=sys.stderr),
        upgrade=Upgrade(everything=True),
        platforms=PLATFORMS,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
