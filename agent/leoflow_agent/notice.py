"""What the agent itself says to people, in the container's output and in the log.

Imported only once there is something to say.
"""

import posix


def say(text: str) -> None:
    """Write a line to stderr, if it can be written at once."""
    try:
        posix.write(2, f"leoflow agent: {text}\n".encode("utf-8", "replace"))
    except OSError:
        pass


def unread(size_bytes: int) -> bytes:
    """Return what the container's own output gets in place of what it did not take."""
    text = f"\nleoflow: {size_bytes} bytes are missing here, nobody read this output\n"
    return text.encode()


def dropped(size_bytes: int) -> str:
    """Return what the log gets in place of what the control plane did not take."""
    return (
        f"leoflow: {size_bytes} bytes of the log were dropped here, "
        "the control plane could not take them in time\n"
    )
