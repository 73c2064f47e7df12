"""Debian's docker-registry: the contract of the fake, logins of every kind, and TLS."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from leoflow_builder.registry.client import Registry
from leoflow_builder.registry.credential import Credential, docker_credentials, find_nothing
from leoflow_builder.registry.failure import AccessDenied, PlainHttp, RegistryError
from leoflow_builder.registry.pull import pull
from leoflow_builder.registry.push import push
from leoflow_builder.registry.reference import Reference
from programs import require_program
from registryserver import running_registry

sys.path.insert(0, str(Path(__file__).parents[1] / "builder" / "registry"))

from registry_contract import AMD64, RegistryContract, new_reference
from registry_sample import Waits, make_image, open_registry

ADA = Credential("this test", "ada", "secret-word")
# `htpasswd -B` of ada's password.
HTPASSWD = "ada:$2b$05$7qzg32eguwjw3BTZuWc8FerFxPbzgnRy0ZlQHtiMiSlt44fWDNPz6\n"
Start = Callable[..., str]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_registry(tmp_path_factory.mktemp("registry")) as started:
        yield started


class TestDockerRegistry(RegistryContract):
    """See the contract."""


def certificate(folder: Path, *extensions: str) -> None:
    """Make a key and a certificate signed by itself: key.pem and cert.pem."""
    command = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=leoflow-test"
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    added = [part for extension in extensions for part in ("-addext", extension)]
    openssl = require_program("openssl")
    subprocess.run([openssl, *command.split(), *files, *added], check=True, capture_output=True)


def test_a_password_of_docker_login_opens_the_registry(tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}}
    image = make_image(tmp_path)
    with running_registry(tmp_path, auth=auth) as host:
        pair = base64.b64encode(b"ada:secret-word").decode()
        document = {"auths": {host: {"auth": pair}}}
        (tmp_path / "config.json").write_text(json.dumps(document))
        find = docker_credentials({"DOCKER_CONFIG": str(tmp_path)})
        with open_registry(host, find) as registry:
            assert push(registry, new_reference(host), image).blobs_sent == 4
        wrong = Credential("this test", "ada", "secret-wrong")
        with (
            open_registry(host, lambda *_: wrong) as registry,
            pytest.raises(AccessDenied, match=f"user 'ada' from this test.*docker login {host}"),
        ):
            push(registry, new_reference(host), image)


class TokenServer(BaseHTTPRequestHandler):
    """Gives the tokens that docker-registry wants: JSON Web Tokens signed with a key of ours."""

    folder: Path

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        pair = base64.b64encode(b"ada:secret-word").decode()
        if self.headers.get("Authorization") != f"Basic {pair}":
            self.send_error(401)
            return
        query = parse_qs(urlsplit(self.path).query)
        body = json.dumps({"access_token": self._token(query["scope"]), "expires_in": 60})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def _token(self, scopes: list[str]) -> str:
        access = [
            {"type": kind, "name": name, "actions": actions.split(",")}
            for kind, name, actions in (scope.split(":") for scope in scopes)
        ]
        now = int(time.time())
        chain = re.sub(r"-----.*?-----|\s", "", (self.folder / "cert.pem").read_text())
        header = {"typ": "JWT", "alg": "RS256", "x5c": [chain]}
        claims = {"iss": "leoflow-test", "aud": "registry", "sub": "ada", "jti": "1"}
        claims |= {"nbf": now - 5, "iat": now - 5, "exp": now + 60, "access": access}
        unsigned = f"{_base64(json.dumps(header).encode())}.{_base64(json.dumps(claims).encode())}"
        command = ["openssl", "dgst", "-sha256", "-sign", self.folder / "key.pem"]
        signed = subprocess.run(command, input=unsigned.encode(), capture_output=True, check=True)
        return f"{unsigned}.{_base64(signed.stdout)}"


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@contextmanager
def token_server(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Run a token server; give the section `auth` of a registry that believes it."""
    certificate(folder)
    handler = type("Handler", (TokenServer,), {"folder": folder})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    realm = f"http://127.0.0.1:{server.server_address[1]}/token"
    bundle = str(folder / "cert.pem")
    names = {"issuer": "leoflow-test", "service": "registry"}
    try:
        yield {"token": {"realm": realm, "rootcertbundle": bundle, **names}}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_token_of_the_registry_s_own_server_opens_it(tmp_path: Path) -> None:
    image = make_image(tmp_path)
    with token_server(tmp_path) as auth, running_registry(tmp_path, auth=auth) as host:
        reference = new_reference(host)
        with open_registry(host, lambda *_: ADA) as registry:
            push(registry, reference, image)
            assert pull(registry, reference, AMD64, tmp_path / "pulled").layers
        with open_registry(host) as registry, pytest.raises(AccessDenied, match="none were found"):
            registry.manifest(reference)


def test_a_mount_goes_through_tokens_for_both_repositories(tmp_path: Path) -> None:
    image = make_image(tmp_path)
    with token_server(tmp_path) as auth, running_registry(tmp_path, auth=auth) as host:
        source, target = new_reference(host), new_reference(host)
        blobs = [
            type(blob)(blob.digest, blob.size_bytes, blob.path, blob.media_type, source.repository)
            for blob in image.blobs
        ]
        with open_registry(host, lambda *_: ADA) as registry:
            push(registry, source, image)
            pushed = push(registry, target, type(image)(image.manifests, tuple(blobs)))
        assert (pushed.blobs_mounted, pushed.sent_bytes) == (4, 0)


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[str]:
    """The host of a registry that talks TLS."""
    certificate(tmp_path, "subjectAltName=IP:127.0.0.1")
    files = {"certificate": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    with running_registry(tmp_path, http={"tls": files}) as host:
        yield host


def test_tls_is_the_default_and_its_authority_can_be_named(
    encrypted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with Registry(encrypted, find_nothing) as registry:
        assert push(registry, new_reference(encrypted), make_image(tmp_path)).blobs_sent == 4


def test_an_unknown_authority_is_refused_at_once(encrypted: str) -> None:
    waits = Waits()
    with (
        Registry(encrypted, find_nothing, retry=waits.retry) as registry,
        pytest.raises(RegistryError, match=r"not trusted.*SSL_CERT_FILE"),
    ):
        registry.manifest(Reference(encrypted, "team/dag", "1"))
    assert waits.seconds == []


def test_plain_http_is_refused_unless_it_is_named(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = Reference(host, "team/dag", "1")
    with (
        Registry(host, find_nothing) as registry,
        pytest.raises(PlainHttp, match=f"name it: LEOFLOW_INSECURE_REGISTRIES={host}"),
    ):
        registry.has_manifest(reference)
    monkeypatch.setenv("LEOFLOW_INSECURE_REGISTRIES", f"other.example, {host}")
    with Registry(host, find_nothing) as registry:
        assert not registry.has_manifest(reference)


def test_a_registry_that_talks_tls_is_not_to_be_named_insecure(encrypted: str) -> None:
    with (
        Registry(encrypted, find_nothing, insecure=True) as registry,
        pytest.raises(PlainHttp, match="It talks TLS: take"),
    ):
        registry.manifest(Reference(encrypted, "team/dag", "1"))


def test_skopeo_reads_what_leoflow_pushes(host: str, tmp_path: Path) -> None:
    skopeo = require_program("skopeo")
    image = make_image(tmp_path)
    reference = new_reference(host)
    with open_registry(host) as registry:
        push(registry, reference, image)
    command = [skopeo, "inspect", "--tls-verify=false", "--raw", f"docker://{reference}"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == image.top.content
