"""What is said on an engine's socket, and what is made of its answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from leoflow_builder.failure import EngineError
from leoflow_builder.oci.engine_images import SocketImages
from leoflow_builder.oci.engine_socket import Archive

Answers = Callable[[bytes], tuple[SocketImages, list[bytes]]]


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[Answers]:
    """Start an engine that gives one fixed answer, and keeps what it was asked."""
    listeners = []

    def start(answer: bytes) -> tuple[SocketImages, list[bytes]]:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "engine.sock"))
        listener.listen()
        listeners.append(listener)
        asked: list[bytes] = []
        threading.Thread(target=serve, args=(listener, answer, asked), daemon=True).start()
        return SocketImages(f"unix://{tmp_path / 'engine.sock'}"), asked

    yield start
    for listener in listeners:
        listener.close()


def serve(listener: socket.socket, answer: bytes, asked: list[bytes]) -> None:
    connection, _ = listener.accept()
    request = connection.recv(1 << 16)
    # Who closes with something unread takes its answer back.
    while not is_whole(request):
        request += connection.recv(1 << 16)
    asked.append(request)
    connection.sendall(answer)
    connection.close()


def is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    size = int(head.rpartition(b"Content-Length: ")[2].split(b"\r\n")[0])
    return bool(end) and len(body) == size


OK = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"


def test_an_image_is_asked_for_by_its_name(answers: Answers) -> None:
    images, asked = answers(OK + b'{"Id": "sha256:1", "RootFS": {"Layers": ["sha256:2"]}}')
    found = images.find("docker.io/a/b:1")
    assert (found and found.image_id, found and found.diff_ids) == ("sha256:1", ("sha256:2",))
    assert asked[0].startswith(b"GET /v1.41/images/docker.io/a/b:1/json HTTP/1.0\r\n")


def test_an_image_without_layers_has_none(answers: Answers) -> None:
    images, _ = answers(OK + b'{"Id": "sha256:1", "RootFS": {}}')
    found = images.find("a")
    assert found is not None
    assert found.diff_ids == ()


def test_an_archive_is_sent_with_its_size(answers: Answers) -> None:
    images, asked = answers(OK)
    images.load(Archive(6, iter([b"abc", b"def"])))
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert b"Content-Length: 6" in head
    assert body == b"abcdef"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b'HTTP/1.0 500 X\r\n\r\n{"message": "it is broken"}', "failed: it is broken"),
        (b"HTTP/1.0 500 X\r\n\r\nplain words", "failed: plain words"),
        (b"SSH-2.0-other\r\n", "gave no answer of HTTP"),
        (b"", "gave no answer of HTTP"),
    ],
)
def test_an_answer_that_is_none_is_told(answers: Answers, answer: bytes, text: str) -> None:
    images, _ = answers(answer)
    with pytest.raises(EngineError, match=text):
        images.find("a")


def test_an_error_in_a_load_s_answer_is_found(answers: Answers) -> None:
    images, _ = answers(OK + b'{"stream": "x"}\n{"error": "no space left on device"}\n')
    with pytest.raises(EngineError, match=r"no space left on device\. Free some space"):
        images.load(Archive(0, []))


def test_no_engine_is_told_with_the_way_out(tmp_path: Path) -> None:
    images = SocketImages(f"unix://{tmp_path / 'none.sock'}")
    with pytest.raises(
        EngineError, match=r"sock': No such file or directory\. .*--output or --push"
    ):
        images.require()
