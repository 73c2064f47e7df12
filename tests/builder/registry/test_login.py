"""Logging in: by password, by token, by identity token; and what is said when it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_login import BasicLogin, TokenLogin
from fake_registry import FakeRegistry, Fault, Reply
from leoflow_builder.registry.credential import Credential
from leoflow_builder.registry.failure import AccessDenied, Refused
from leoflow_builder.registry.pull import pull
from leoflow_builder.registry.push import push
from leoflow_builder.registry.reference import Reference
from registry_sample import Waits, make_blob, make_image, open_registry, random_bytes

ADA = Credential("this test", "ada", "secret-word")
EVE = Credential("this test", "eve", "secret-guess")
AMD64 = "linux/amd64"


def as_user(credential: Credential) -> Callable[[str, str], Credential]:
    return lambda host, repository: credential


@pytest.fixture
def tokens() -> TokenLogin:
    return TokenLogin()


@pytest.fixture
def guarded(tokens: TokenLogin) -> Iterator[FakeRegistry]:
    with FakeRegistry(tokens) as registry:
        yield registry


def test_a_password_is_sent_once_the_registry_asks(tmp_path: Path) -> None:
    with FakeRegistry(BasicLogin()) as fake, open_registry(fake.host, as_user(ADA)) as registry:
        push(registry, Reference(fake.host, "team/dag", "1"), make_image(tmp_path))
        assert "authorization" not in fake.requests[0].headers
        asked = [one for one in fake.requests if "authorization" not in one.headers]
        assert len(asked) <= 4


def test_one_token_does_for_all_requests_of_a_push(
    guarded: FakeRegistry, tokens: TokenLogin, tmp_path: Path
) -> None:
    with open_registry(guarded.host, as_user(ADA)) as registry:
        push(registry, Reference(guarded.host, "team/dag", "1"), make_image(tmp_path), at_once=1)
    assert tokens.asked == [["repository:team/dag:pull,push", "repository:team/dag:pull"]]


def test_an_identity_token_is_exchanged(
    guarded: FakeRegistry, tokens: TokenLogin, tmp_path: Path
) -> None:
    credential = Credential("this test", identity_token=tokens.identity_token)
    with open_registry(guarded.host, as_user(credential)) as registry:
        pushed = push(registry, Reference(guarded.host, "team/dag", "1"), make_image(tmp_path))
    assert pushed.blobs_sent == 4
    assert "POST" in guarded.methods("/token")


def test_a_registry_token_is_sent_as_it_is(guarded: FakeRegistry, tokens: TokenLogin) -> None:
    tokens.grants["given"] = ["repository:team/dag:pull"]
    credential = Credential("this test", registry_token="given")
    with open_registry(guarded.host, as_user(credential)) as registry:
        assert not registry.has_blob("team/dag", "sha256:" + "0" * 64)
    assert guarded.methods("/token") == []


def test_what_is_public_is_pulled_without_a_login(guarded: FakeRegistry, tmp_path: Path) -> None:
    reference = Reference(guarded.host, "team/dag", "1")
    with open_registry(guarded.host, as_user(ADA)) as registry:
        push(registry, reference, make_image(tmp_path))
    with open_registry(guarded.host) as registry:
        assert len(pull(registry, reference, AMD64, tmp_path / "pulled").layers) == 3


def test_pushing_without_a_login_says_how_to_get_one(guarded: FakeRegistry, tmp_path: Path) -> None:
    blob = make_blob(tmp_path, b"layer")
    with (
        open_registry(guarded.host) as registry,
        pytest.raises(AccessDenied, match=r"without credentials.*HTTP 401.*Run `docker login"),
    ):
        registry.push_blob("team/dag", blob)


@pytest.mark.parametrize("login", [BasicLogin(), TokenLogin()], ids=["basic", "token"])
def test_a_wrong_password_names_the_user_and_not_the_password(
    login: BasicLogin | TokenLogin, tmp_path: Path
) -> None:
    waits = Waits()
    with FakeRegistry(login) as fake, open_registry(fake.host, as_user(EVE), waits) as registry:
        with pytest.raises(AccessDenied, match="user 'eve' from this test") as caught:
            registry.push_blob("team/dag", make_blob(tmp_path, b"layer"))
        assert f"docker login {fake.host}" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert waits.seconds == []


def test_a_token_that_expires_is_renewed_before_and_after(
    guarded: FakeRegistry, tokens: TokenLogin, tmp_path: Path
) -> None:
    with open_registry(guarded.host, as_user(ADA)) as registry:
        registry.push_blob("team/dag", make_blob(tmp_path, b"one"))
        tokens.grants.clear()
        assert registry.push_blob("team/dag", make_blob(tmp_path, b"two")) == "sent"
        assert len(tokens.asked) == 2


def test_a_token_that_expires_in_mid_upload_is_renewed(
    guarded: FakeRegistry, tokens: TokenLogin, tmp_path: Path
) -> None:
    refusal = Reply(401, {"WWW-Authenticate": f'Bearer realm="http://{guarded.host}/token"'})
    guarded.faults.append(Fault("PUT", "/blobs/", reply=refusal))
    with open_registry(guarded.host, as_user(ADA)) as registry:
        assert registry.push_blob("team/dag", make_blob(tmp_path, random_bytes())) == "sent"
    assert len(tokens.asked) == 2


def test_a_source_that_may_not_be_read_is_not_mounted(
    guarded: FakeRegistry, tokens: TokenLogin, tmp_path: Path
) -> None:
    forbidden = Reply(403)
    guarded.faults.append(Fault("POST", "/uploads/", reply=forbidden))
    with open_registry(guarded.host, as_user(ADA)) as registry:
        blob = make_blob(tmp_path, b"layer", mount_from="secret/source")
        assert registry.push_blob("team/dag", blob) == "sent"
    assert tokens.asked[1][:2] == ["repository:team/dag:pull,push", "repository:secret/source:pull"]


def test_the_login_is_not_sent_to_another_host(tmp_path: Path) -> None:
    with FakeRegistry(BasicLogin()) as fake, open_registry(fake.host, as_user(ADA)) as registry:
        reference = Reference(fake.host, "team/dag", "1")
        push(registry, reference, make_image(tmp_path))
        fake.redirects = True
        pull(registry, reference, AMD64, tmp_path / "pulled")
        elsewhere = [one for one in fake.requests if one.path.startswith("/storage/")]
    assert len(elsewhere) == 4
    assert all("authorization" not in one.headers for one in elsewhere)


def test_a_login_that_nobody_knows_is_named(fake: FakeRegistry) -> None:
    fake.faults.append(Fault(reply=Reply(401, {"WWW-Authenticate": "Negotiate"})))
    with (
        open_registry(fake.host) as registry,
        pytest.raises(
            AccessDenied, match=r"offers 'negotiate'.*Is this address that of a registry"
        ),
    ):
        registry.has_blob("team/dag", "sha256:" + "0" * 64)


def test_a_token_server_that_is_busy_is_asked_again(guarded: FakeRegistry, tmp_path: Path) -> None:
    guarded.faults.append(Fault("GET", "/token", reply=Reply(503)))
    with open_registry(guarded.host, as_user(ADA)) as registry:
        assert registry.push_blob("team/dag", make_blob(tmp_path, b"layer")) == "sent"


def test_a_token_server_without_tokens_is_named(guarded: FakeRegistry) -> None:
    guarded.faults.append(Fault("GET", "/token", reply=Reply(200, {}, b"<html>")))
    with (
        open_registry(guarded.host, as_user(ADA)) as registry,
        pytest.raises(Refused, match=r"/token', which gives tokens.* HTTP 200 without a token"),
    ):
        registry.has_blob("team/dag", "sha256:" + "0" * 64)
