"""One request or blob at a time: what is tried again, what is checked, and what is said."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import httpx
import pytest
from fake_registry import FakeRegistry, Fault, Reply, error, with_digest
from leoflow_builder.registry.client import Registry
from leoflow_builder.registry.credential import find_nothing
from leoflow_builder.registry.descriptor import Descriptor
from leoflow_builder.registry.failure import (
    DigestMismatch,
    GaveUp,
    PlainHttp,
    Refused,
    RegistryError,
)
from leoflow_builder.registry.image import BlobToPush
from leoflow_builder.registry.reference import Reference
from registry_sample import Waits, make_blob, make_image, open_registry, random_bytes

OTHER = "sha256:" + "0" * 64
TEAM = "team/dag"


def stored(fake: FakeRegistry, content: bytes) -> Descriptor:
    """Put a blob into a registry."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    fake.content[digest] = content
    fake.blobs[TEAM].add(digest)
    return Descriptor("", digest, len(content))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_registry_that_is_busy_is_asked_again(fake: FakeRegistry, status: int) -> None:
    fake.faults.append(Fault(times=2, reply=Reply(status)))
    waits = Waits()
    with open_registry(fake.host, waits=waits) as registry:
        assert not registry.has_blob(TEAM, OTHER)
    assert waits.seconds == [0.25, 0.5]


def test_the_wish_of_a_busy_registry_is_kept(fake: FakeRegistry) -> None:
    fake.faults.append(Fault(reply=error(429, "TOOMANYREQUESTS", Retry_After="12")))
    waits = Waits()
    with open_registry(fake.host, waits=waits) as registry:
        registry.has_blob(TEAM, OTHER)
    assert waits.seconds == [12.0]


def test_a_registry_that_stays_busy_is_given_up(fake: FakeRegistry) -> None:
    fake.faults.append(Fault(times=-1, reply=error(429, "TOOMANYREQUESTS")))
    with (
        open_registry(fake.host) as registry,
        pytest.raises(GaveUp, match=r"HTTP 429.*\nGave up after 6 attempts"),
    ):
        registry.has_blob(TEAM, OTHER)


@pytest.mark.parametrize("cut", ["before", "in request", "after"])
def test_an_upload_that_is_cut_is_begun_anew(fake: FakeRegistry, cut: str, tmp_path: Path) -> None:
    fake.faults.append(Fault("PUT", "/blobs/", times=2, cut=cut))  # type: ignore[arg-type]
    blob = make_blob(tmp_path, random_bytes())
    waits = Waits()
    told: list[int] = []
    with open_registry(fake.host, waits=waits) as registry:
        how = registry.push_blob(TEAM, blob, lambda _, done, total: told.append(done))
    assert fake.content[blob.digest] == blob.path.read_bytes()
    assert told[-1] == blob.size_bytes
    # Where only the answer was lost the registry has the blob, and nothing is sent again.
    assert how == ("present" if cut == "after" else "sent")
    assert len(waits.seconds) == (1 if cut == "after" else 2)


def test_an_upload_that_the_registry_forgot_is_begun_anew(
    fake: FakeRegistry, tmp_path: Path
) -> None:
    fake.faults.append(Fault("PUT", "/blobs/", reply=error(404, "BLOB_UPLOAD_UNKNOWN")))
    with open_registry(fake.host) as registry:
        assert registry.push_blob(TEAM, make_blob(tmp_path, b"layer")) == "sent"
    assert fake.methods() == ["HEAD", "POST", "PUT", "HEAD", "POST", "PUT"]


def test_a_limit_for_sizes_is_said_without_trying_again(fake: FakeRegistry, tmp_path: Path) -> None:
    fake.faults.append(Fault("PUT", reply=Reply(413, {}, b"<html>too large</html>")))
    waits = Waits()
    with (
        open_registry(fake.host, waits=waits) as registry,
        pytest.raises(Refused, match=r"HTTP 413\. .*a proxy before it, has a limit"),
    ):
        registry.push_blob(TEAM, make_blob(tmp_path, random_bytes()))
    assert waits.seconds == []


def test_a_mount_that_is_refused_becomes_an_upload(tmp_path: Path) -> None:
    blob = make_blob(tmp_path, b"layer", mount_from="team/source")
    with FakeRegistry(mounts=False) as fake, open_registry(fake.host) as registry:
        fake.blobs["team/source"].add(blob.digest)
        assert registry.push_blob(TEAM, blob) == "sent"
        assert fake.methods() == ["HEAD", "POST", "PUT"]


def test_a_registry_that_fails_at_a_mount_is_sent_the_bytes(
    fake: FakeRegistry, tmp_path: Path
) -> None:
    blob = make_blob(tmp_path, b"layer", mount_from="team/source")
    fake.blobs["team/source"].add(blob.digest)
    fake.faults.append(Fault("POST", "/uploads/", reply=error(500, "UNKNOWN")))
    with open_registry(fake.host) as registry:
        assert registry.push_blob(TEAM, blob) == "sent"


def test_a_file_that_is_damaged_never_arrives(fake: FakeRegistry, tmp_path: Path) -> None:
    blob = make_blob(tmp_path, random_bytes())
    damaged = bytearray(blob.path.read_bytes())
    damaged[0] ^= 1
    blob.path.write_bytes(damaged)
    waits = Waits()
    with (
        open_registry(fake.host, waits=waits) as registry,
        pytest.raises(DigestMismatch, match=r"is damaged.*`leoflow cache prune --all`") as caught,
    ):
        registry.push_blob(TEAM, blob)
    assert f"'{blob.digest}' at '{blob.path}'" in str(caught.value)
    assert fake.content == {}
    assert waits.seconds == []


@pytest.mark.parametrize("length", [100, 2_000_000], ids=["shorter", "longer"])
def test_a_file_of_another_size_never_arrives(
    fake: FakeRegistry, tmp_path: Path, length: int
) -> None:
    blob = make_blob(tmp_path, random_bytes())
    blob.path.write_bytes(bytes(length))
    with open_registry(fake.host) as registry, pytest.raises(DigestMismatch, match="is damaged"):
        registry.push_blob(TEAM, blob)
    assert fake.content == {}


def test_a_digest_that_the_registry_refuses_is_said(fake: FakeRegistry, tmp_path: Path) -> None:
    fake.faults.append(Fault("PUT", reply=error(400, "DIGEST_INVALID")))
    with (
        open_registry(fake.host) as registry,
        pytest.raises(DigestMismatch, match=r"DIGEST_INVALID digest invalid\. The content changed"),
    ):
        registry.push_blob(TEAM, make_blob(tmp_path, b"layer"))


def test_a_registry_that_got_something_else_is_not_believed(
    fake: FakeRegistry, tmp_path: Path
) -> None:
    image = make_image(tmp_path)
    lie = Fault("PUT", times=-1, change=lambda reply: with_digest(reply, OTHER))
    fake.faults.append(lie)
    reference = Reference(fake.host, TEAM, "1")
    with open_registry(fake.host) as registry:
        with pytest.raises(DigestMismatch, match=f"says that it got '{OTHER}'. Push again"):
            registry.push_blob(TEAM, image.blobs[0])
        fake.strict = False
        with pytest.raises(DigestMismatch, match=f"says that it got '{OTHER}'.*another registry"):
            registry.push_manifest(reference, image.top)


def test_a_download_that_is_cut_goes_on_where_it_was(fake: FakeRegistry, tmp_path: Path) -> None:
    content = random_bytes()
    blob = stored(fake, content)
    fake.faults.append(Fault("GET", "/blobs/", times=2, cut="in reply"))
    told: list[int] = []
    with open_registry(fake.host) as registry:
        registry.blob(TEAM, blob, tmp_path / "blob", lambda _, done, total: told.append(done))
    assert (tmp_path / "blob").read_bytes() == content
    ranges = [one.headers.get("range") for one in fake.requests]
    assert ranges == [None, f"bytes={len(content) // 2}-", f"bytes={len(content) // 4 * 3}-"]
    assert told == sorted(told)


def test_a_download_begins_anew_where_the_registry_knows_no_ranges(
    fake: FakeRegistry, tmp_path: Path
) -> None:
    content = random_bytes()
    blob = stored(fake, content)
    fake.faults.append(Fault("GET", "/blobs/", cut="in reply"))
    fake.faults.append(Fault("GET", "/blobs/", reply=Reply(200, {}, content)))
    with open_registry(fake.host) as registry:
        registry.blob(TEAM, blob, tmp_path / "blob")
    assert (tmp_path / "blob").read_bytes() == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"liar!", "sent 'sha256:.*' instead of"),
        (b"longer", "sent at least 6 bytes instead of"),
    ],
)
def test_a_blob_that_is_another_one_is_not_kept(
    fake: FakeRegistry, tmp_path: Path, content: bytes, message: str
) -> None:
    blob = stored(fake, b"layer")
    fake.faults.append(Fault("GET", "/blobs/", reply=Reply(200, {}, content)))
    with open_registry(fake.host) as registry, pytest.raises(DigestMismatch, match=message):
        registry.blob(TEAM, blob, tmp_path / "folder" / "blob")
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_blob_that_stays_too_short_is_given_up(fake: FakeRegistry, tmp_path: Path) -> None:
    blob = stored(fake, b"layer")
    fake.faults.append(Fault("GET", "/blobs/", times=-1, reply=Reply(200, {}, b"lay")))
    with (
        open_registry(fake.host) as registry,
        pytest.raises(GaveUp, match="sent 3 of 5 bytes"),
    ):
        registry.blob(TEAM, blob, tmp_path / "blob")
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_read_or_written_are_named(fake: FakeRegistry, tmp_path: Path) -> None:
    blob = make_blob(tmp_path, b"layer")
    with open_registry(fake.host) as registry:
        gone = BlobToPush(blob.digest, 5, tmp_path / "gone", "")
        with pytest.raises(RegistryError, match=r"reading '.*/gone' failed: No such file"):
            registry.push_blob(TEAM, gone)
        target = blob.path / "folder" / "blob"
        with pytest.raises(RegistryError, match=f"writing '{target}' failed: Not a directory"):
            registry.blob(TEAM, stored(fake, b"layer"), target)


def test_a_manifest_that_is_another_one_is_refused(fake: FakeRegistry, tmp_path: Path) -> None:
    image = make_image(tmp_path)
    fake.manifests[TEAM][OTHER] = (image.top.media_type, image.top.content)
    fake.tags[TEAM]["1"] = OTHER
    for reference in (Reference(fake.host, TEAM, "1"), Reference(fake.host, TEAM, None, OTHER)):
        with (
            open_registry(fake.host) as registry,
            pytest.raises(DigestMismatch, match=f"sent '{image.top.digest}' instead of '{OTHER}'"),
        ):
            registry.manifest(reference)


def test_a_manifest_without_end_is_refused(fake: FakeRegistry) -> None:
    fake.faults.append(Fault("GET", reply=Reply(200, {}, bytes(5_000_000))))
    with open_registry(fake.host) as registry, pytest.raises(Refused, match="larger than 4194304"):
        registry.manifest(Reference(fake.host, TEAM, "1"))


def test_an_address_that_answers_nothing_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        with open_registry(host) as registry, pytest.raises(GaveUp) as caught:
            registry.has_blob(TEAM, OTHER)
    assert f"registry '{host}' cannot be reached: Connection refused. Check" in str(caught.value)


def test_a_registry_that_falls_silent_is_named() -> None:
    waits = Waits(attempts=2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        with (
            Registry(
                host, find_nothing, insecure=True, retry=waits.retry, timeout_seconds=0.2
            ) as registry,
            pytest.raises(GaveUp, match=r"fell silent.*\n.*after 2 attempts"),
        ):
            registry.has_blob(TEAM, OTHER)


def test_plain_http_is_refused_at_once_unless_it_is_named(fake: FakeRegistry) -> None:
    waits = Waits()
    with (
        Registry(fake.host, find_nothing, retry=waits.retry) as registry,
        pytest.raises(PlainHttp, match=f"LEOFLOW_INSECURE_REGISTRIES={fake.host}"),
    ):
        registry.has_blob(TEAM, OTHER)
    assert waits.seconds == []


@pytest.mark.parametrize(
    ("location", "goes_to"),
    [
        ("http://r.example/upload/1", "https://r.example/upload/1"),
        ("/upload/1?a=%2B", "https://r.example/upload/1?a=%2B&"),
        ("https://storage.example/1", "https://storage.example/1"),
        ("http://storage.example/1", None),
    ],
)
def test_an_upload_goes_nowhere_without_encryption(
    location: str, goes_to: str | None, tmp_path: Path
) -> None:
    blob = make_blob(tmp_path, b"layer")
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            seen.append(str(request.url))
            return httpx.Response(201)
        head = request.method == "HEAD"
        return httpx.Response(404 if head else 202, headers={"Location": location})

    with Registry("r.example", find_nothing, transport=httpx.MockTransport(answer)) as registry:
        if goes_to is None:
            with pytest.raises(PlainHttp, match="'storage\\.example' without encryption"):
                registry.push_blob(TEAM, blob)
        else:
            registry.push_blob(TEAM, blob)
            joint = "" if "?" in goes_to else "?"
            assert seen == [f"{goes_to}{joint}digest={blob.digest}"]


def test_what_is_no_registry_is_said_so(fake: FakeRegistry, tmp_path: Path) -> None:
    fake.faults.append(Fault("POST", reply=Reply(202)))
    with open_registry(fake.host) as registry, pytest.raises(Refused, match="no Location"):
        registry.push_blob(TEAM, make_blob(tmp_path, b"layer"))
    fake.faults.append(Fault(times=-1, reply=Reply(302, {"Location": f"http://{fake.host}/v2/"})))
    with open_registry(fake.host) as registry, pytest.raises(RegistryError, match="for ever"):
        registry.manifest(Reference(fake.host, TEAM, "1"))
    with open_registry(fake.host) as registry, pytest.raises(RegistryError, match="for ever"):
        registry.push_blob(TEAM, BlobToPush(OTHER, 1, tmp_path, ""))


def test_docker_hub_is_reached_at_its_own_address() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(404)

    with Registry("docker.io", find_nothing, transport=httpx.MockTransport(answer)) as registry:
        registry.has_blob("library/python", OTHER)
    assert seen == [f"https://registry-1.docker.io/v2/library/python/blobs/{OTHER}"]
