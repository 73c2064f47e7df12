"""What a task that an agent ran has returned, and a control plane that answers its pulls."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit


def returned(agent):
    """Give what the task returned; the failure if it did not."""
    plane = agent.control_plane
    assert plane.finished["state"] == "success", plane.finished["reason"]
    values = [event["value"] for event in plane.of_type("xcom") if event["key"] == "return_value"]
    return values[-1] if values else None


def keep_values(agent, answers=None):
    """Let the control plane answer pulls from what was pushed, as the real one does."""
    answers = answers or {}

    def script(path, _):
        if not path.startswith("/agent/v1/xcom?"):
            return None
        asked = {name: found[0] for name, found in parse_qs(urlsplit(path).query).items()}
        if asked["task_id"] == "t":
            pushed = {event["key"]: event["value"] for event in agent.control_plane.of_type("xcom")}
            return 200, json.dumps({"value": pushed.get(asked["key"]), "error": None}).encode()
        answer = answers.get((asked["task_id"], asked["key"], int(asked["map_index"])))
        return 200, json.dumps({"value": answer, "error": None}).encode()

    agent.control_plane.script = script
