"""Lets the tests of images of the user's own import what they share, with the tests of images."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "oci"))
