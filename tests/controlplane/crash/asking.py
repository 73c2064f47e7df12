"""Questions that tests and launchers ask of what is around them; they change nothing."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any


def ask_world(path: Path) -> dict[str, Any]:
    """Tell what the world at ``path`` has seen, and what is there."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b'{"op": "tell"}\n')
        with client.makefile() as answers:
            return dict(json.loads(answers.readline()))
