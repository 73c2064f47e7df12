"""Lets the tests of the scheduler's core import ``scene`` and ``oracle``, which are theirs."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
