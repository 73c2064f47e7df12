"""The process of a task of the naive agent: import the user's module, call its function.

What to call is one JSON document on stdin; when that began and ended goes to a descriptor.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time

AGENT_FOLDER = "/opt/leoflow/agent"


def main() -> int:
    """Call the function and return 0; what it raises ends the process with a traceback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, required=True)
    options = parser.parse_args()
    question = json.load(sys.stdin)
    sys.path.append(AGENT_FOLDER)  # where users' modules find `leoflow`
    with os.fdopen(options.moments, "w", buffering=1) as moments:
        started = time.time()
        module = importlib.import_module(question["module"])
        found = getattr(module, question["function"])
        function = getattr(found, "function", found)
        print(json.dumps({"import_started": started, "entered": time.time()}), file=moments)
        inputs = question["inputs"]
        function(*inputs["args"], **inputs["kwargs"])
        sys.stdout.flush()
        print(json.dumps({"left": time.time()}), file=moments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
