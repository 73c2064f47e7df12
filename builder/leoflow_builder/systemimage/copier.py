"""Runs in an init container: ``copy.py PYTHON FOLDER`` copies the agent for a Python into FOLDER.

Standard library only, and no import of leoflow's: it is alone in the image.
"""

import os
import shutil
import sys


def main(python: str, folder: str) -> None:
    """Copy the agent for ``python`` ("3.11"); the sources serve those without one of their own."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    agent = f"{here}/{python}"
    if not os.path.isdir(agent):  # noqa: PTH112
        known = ", ".join(sorted(one.name for one in os.scandir(here) if one.is_dir()))
        sys.exit(f"there is no agent for Python '{python}' in this image. It has {known}")
    _copy(agent, folder)


def _copy(source: str, target: str) -> None:
    """Copy what is in a folder, and no modes or times: those of a volume are not ours to change."""
    os.makedirs(target, exist_ok=True)  # noqa: PTH103
    for entry in os.scandir(source):
        place = f"{target}/{entry.name}"
        if entry.is_dir():
            _copy(entry.path, place)
        else:
            shutil.copyfile(entry.path, place)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: copy.py PYTHON FOLDER, such as: copy.py 3.11 /opt/leoflow/agent")
    main(sys.argv[1], sys.argv[2])
