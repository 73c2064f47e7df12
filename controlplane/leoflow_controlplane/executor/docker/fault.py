"""What a Docker engine that refuses or does not answer means. Talks to no engine."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from leoflow_controlplane.error import ExecutorUnusable, LaunchFailed

# The engine passes a registry's answer on as text, most often with status 500.
_FINAL_WORDS = (
    "not found",
    "manifest unknown",
    "denied",
    "unauthorized",
    "authentication required",
    "no basic auth credentials",
    "no matching manifest",
    "invalid reference",
    "unsupported",
)
# What it raises to read an answer that is not of the form it should be.
_SENSELESS = (LookupError, TypeError, ValueError)
_PASSING_WORDS = ("no such host", "toomanyrequests")


class EngineUnreachable(ExecutorUnusable):
    """The engine did not answer, or not as an engine does; a later call may work."""


class NoEngine(ExecutorUnusable):
    """No engine answers at ``place``, which DOCKER_HOST names or is the default; ``reason`` is in
    the system's words, ``is_denied`` tells that this user may not ask."""

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        self.is_denied = reason == os.strerror(errno.EACCES)
        fix = "Start one, set DOCKER_HOST, or run without containers: --executor subprocess"
        if self.is_denied:
            fix = "Let this user reach the socket, for example by the group 'docker'"
        super().__init__(f"no Docker engine answers at '{place}': {reason}. {fix}.")


class NoAnswer(LaunchFailed):
    """The engine did not answer a launch, so what became of it has to be looked at."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the Docker engine did not answer: {reason}", transient=True)


class ImageMissing(LaunchFailed):
    """The engine does not have the image."""


@contextmanager
def translated(*harmless: int) -> Iterator[None]:
    """Turn what the client raises into EngineUnreachable; let ``harmless`` statuses pass."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        if error.status_code not in harmless:
            raise EngineUnreachable(text_of(error)) from error
    except (DockerException, RequestException, OSError) as error:
        raise EngineUnreachable(innermost(error)) from error
    except _SENSELESS as error:
        raise EngineUnreachable(f"its answer makes no sense: {error!r}") from error


@contextmanager
def launching(image: str) -> Iterator[None]:
    """Turn what the client raises into LaunchFailed, ImageMissing and NoAnswer."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        raise _refusal(image, error.status_code or 500, text_of(error)) from error
    except (DockerException, RequestException, OSError) as error:
        raise NoAnswer(innermost(error)) from error
    except _SENSELESS as error:
        raise NoAnswer(f"its answer makes no sense: {error!r}") from error
    except EngineUnreachable as error:
        raise NoAnswer(str(error)) from error


def pull_refusal(image: str, status: int, text: str) -> LaunchFailed:
    """Say that an image cannot be pulled, in the registry's words; what is final is not tried
    again."""
    words = text.lower()
    final = status in (400, 401, 403, 404) or any(word in words for word in _FINAL_WORDS)
    final = final and not any(word in words for word in _PASSING_WORDS)
    return LaunchFailed(f"image '{image}' cannot be pulled: {text}", transient=not final)


def text_of(error: Any) -> str:
    """Give the engine's own words."""
    return str(error.explanation or error)


def _refusal(image: str, status: int, text: str) -> LaunchFailed:
    if status == 404 and "image" in text.lower():
        return ImageMissing(f"image '{image}' is not on this Docker engine", transient=False)
    if "bind source path does not exist" in text:
        return LaunchFailed(
            f"the Docker engine does not see this machine's files ({text}). Set LEOFLOW_AGENT_URL "
            "to an address at which containers reach this process.",
            transient=False,
        )
    return LaunchFailed(f"the Docker engine refused the container: {text}", transient=status >= 500)


def innermost(error: BaseException) -> str:
    """Give the operating system's words, which HTTP libraries wrap into one another."""
    found: BaseException | None = error
    seen: list[BaseException] = []
    while found is not None and found not in seen:
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
        seen.append(found)
        inner = [one for one in found.args if isinstance(one, BaseException)]
        found = found.__cause__ or found.__context__ or (inner[0] if inner else None)
    return str(error)
