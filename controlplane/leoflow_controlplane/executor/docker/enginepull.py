"""The pull of an image by an engine, read to its end, and how far it is. For threads only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.docker.fault import launching, pull_refusal, text_of

Report = Callable[[str], Any]

CONNECT_SECONDS = 10.0
REPORT_SECONDS = 5.0
MIB = 1024**2


def is_pullable(image: str) -> bool:
    """Say whether a reference names a registry or a digest.

    A bare name is one that was given on this machine, where Docker would ask its hub for an
    image of whoever has taken the name there.
    """
    host, slash, _ = image.partition("/")
    return "@sha256:" in image or (
        bool(slash) and ("." in host or ":" in host or host == "localhost")
    )


def read_pull(client: Any, image: str, seconds: float, report: Report, stream: list[Any]) -> None:
    """Pull ``image`` within ``seconds``; see `Engine.pull`."""
    from docker.errors import APIError
    from docker.types.daemon import CancellableStream

    deadline = time.monotonic() + seconds
    with launching(image):
        try:
            response = _ask(client, image, seconds)
        except APIError as error:
            raise pull_refusal(image, error.status_code or 500, text_of(error)) from error
        lines = CancellableStream(client._stream_helper(response, decode=True), response)
        stream.append(lines)
        try:
            _follow(image, lines, report, deadline)
        finally:
            response.close()
        if not client.images(name=image, quiet=True):
            raise LaunchFailed(f"the pull of image '{image}' broke off", transient=True)


def _ask(client: Any, image: str, seconds: float) -> Any:
    from docker import auth, utils

    name, tag = utils.parse_repository_tag(image)
    header = auth.get_config_header(client, auth.resolve_repository_name(name)[0])
    # The client's own call waits for ever.
    response = client.post(
        client._url("/images/create"),
        params={"fromImage": name, "tag": tag or "latest"},
        headers={"X-Registry-Auth": header} if header else {},
        stream=True,
        timeout=(CONNECT_SECONDS, seconds),
    )
    client._raise_for_status(response)
    return response


def _follow(image: str, lines: Iterable[Any], report: Report, deadline: float) -> None:
    layers: dict[str, tuple[int, int]] = {}
    next_report = time.monotonic() + REPORT_SECONDS
    for line in lines:
        if "error" in line:
            raise pull_refusal(image, 500, str(line["error"]))
        detail = line.get("progressDetail") or {}
        if line.get("status") == "Downloading" and detail.get("total"):
            layers[line["id"]] = (detail.get("current", 0), detail["total"])
        now = time.monotonic()
        if now > deadline:
            raise LaunchFailed(f"image '{image}' is still being pulled", transient=True)
        if now > next_report and layers:
            next_report = now + REPORT_SECONDS
            done, total = (sum(sizes) // MIB for sizes in zip(*layers.values(), strict=True))
            report(f"pulling image '{image}': {done} of {total} MiB")
