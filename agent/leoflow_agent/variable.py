"""Variables that a try was given: set for its process and for all that it starts."""

import posix
import sys

from leoflow_agent import child


def put(variables: "dict[str, str]") -> None:
    """Set ``variables``, whether os is imported already or will be by user code."""
    child.given = variables
    os = sys.modules.get("os")
    if os is not None:
        os.environ.update(variables)
        return
    for name, value in variables.items():
        pair = name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape")
        posix.putenv(*pair)
        # What os.environ will be made of.
        posix.environ[pair[0]] = pair[1]
