"""Which cluster is used as whom, by real kubeconfigs and the real client; none is called."""

from __future__ import annotations

import json
import ssl
import sys
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.cluster import connect
from leoflow_controlplane.executor.cluster.connect import Access, choose_access, load_client

INSIDE = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def write(folder: Path, user: dict[str, Any], **context: str) -> Path:
    """Write a kubeconfig whose current context is 'here' and which has another."""
    clusters = [
        {"name": name, "cluster": {"server": f"http://{name}:8001"}} for name in ("here", "there")
    ]
    contexts = [
        {"name": "here", "context": {"cluster": "here", "user": "me", **context}},
        {"name": "there", "context": {"cluster": "there", "user": "me"}},
    ]
    file = folder / "kubeconfig"
    text = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": clusters,
        "contexts": contexts,
        "users": [{"name": "me", "user": user}],
    }
    file.write_text(json.dumps(text))
    return file


async def token_of(client: Any) -> str:
    """Give what a request would carry."""
    return str(await client.configuration.get_api_key_with_prefix("BearerToken"))


def test_a_kubeconfig_that_is_named_is_used(tmp_path: Path) -> None:
    file = write(tmp_path, {})
    environment = {"KUBECONFIG": f"/nowhere:{file}", "HOME": str(tmp_path), **INSIDE}
    access = choose_access(environment, "there", "ns")
    assert access == Access(f"/nowhere:{file}", "there", "ns")


def test_without_one_it_is_the_user_s_then_the_cluster_s_own(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), **INSIDE}
    assert choose_access(environment, None, None).kubeconfig is None
    usual = tmp_path / ".kube" / "config"
    usual.parent.mkdir()
    write(tmp_path, {}).rename(usual)
    assert choose_access(environment, None, None).kubeconfig == str(usual)


@pytest.mark.parametrize("environment", [{}, {"KUBECONFIG": "/nowhere/config"}])
def test_none_at_all_is_refused_by_its_name(tmp_path: Path, environment: dict[str, str]) -> None:
    with pytest.raises(ExecutorUnusable, match=r"no kubeconfig at '.*/config'. Set KUBECONFIG"):
        choose_access({"HOME": str(tmp_path), **environment}, None, None)


async def test_a_ca_that_kubectl_takes_is_taken(tmp_path: Path) -> None:
    client, _ = await load_client(Access(str(write(tmp_path, {})), None, None))
    async with client:
        context = client.rest_client.ssl_context
        assert not context.verify_flags & ssl.VERIFY_X509_STRICT
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
        # Before Python 3.13 nothing has to be switched off.
        assert client.configuration.disable_strict_ssl_verification


async def test_context_namespace_and_token_are_those_of_the_kubeconfig(tmp_path: Path) -> None:
    file = write(tmp_path, {"token": "secret"}, namespace="runs")
    client, namespace = await load_client(Access(str(file), None, None))
    assert (client.configuration.host, namespace) == ("http://here:8001", "runs")
    assert await token_of(client) == "Bearer secret"
    client, namespace = await load_client(Access(str(file), "there", None))
    assert (client.configuration.host, namespace) == ("http://there:8001", "default")
    _, namespace = await load_client(Access(str(file), None, "other"))
    assert namespace == "other"


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "kubeconfig '.*' cannot be used"), ("{}", "Expected key"), ("[]", "cannot be used")],
)
async def test_a_kubeconfig_that_makes_no_sense_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    with pytest.raises(ExecutorUnusable, match=words):
        await load_client(Access(str(tmp_path / "kubeconfig"), None, None))


async def test_a_context_that_is_not_there_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, {})
    words = "The context 'moon' is asked for by LEOFLOW_KUBERNETES_CONTEXT"
    with pytest.raises(ExecutorUnusable, match=words):
        await load_client(Access(str(file), "moon", None))


PLUGIN = """
import json, pathlib
count = pathlib.Path({count!r})
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
status = {{"token": f"t{{number}}", "expirationTimestamp": {expiry!r}}}
print(json.dumps({{"apiVersion": "v1", "kind": "ExecCredential", "status": status}}))
"""


@pytest.mark.parametrize(
    ("expiry", "tokens"),
    [("2000-01-01T00:00:00Z", ["t2", "t3"]), ("2100-01-01T00:00:00Z", ["t1", "t1"])],
)
async def test_a_credential_plugin_is_asked_again_when_its_token_expires(
    tmp_path: Path, expiry: str, tokens: list[str]
) -> None:
    code = PLUGIN.format(count=str(tmp_path / "count"), expiry=expiry)
    user = {"exec": {"apiVersion": "v1", "command": sys.executable, "args": ["-c", code]}}
    client, _ = await load_client(Access(str(write(tmp_path, user)), None, None))
    assert [await token_of(client) for _ in range(2)] == [f"Bearer {token}" for token in tokens]


async def test_a_credential_plugin_that_fails_is_quoted(tmp_path: Path) -> None:
    code = "import sys; sys.exit('log in first')"
    user = {"exec": {"apiVersion": "v1", "command": sys.executable, "args": ["-c", code]}}
    with pytest.raises(ExecutorUnusable, match="log in first"):
        await load_client(Access(str(write(tmp_path, user)), None, None))


async def test_a_service_account_s_token_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kubernetes.aio.config.incluster_config as incluster
    import trustme

    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.crt")
    (tmp_path / "token").write_text("first")
    (tmp_path / "namespace").write_text("runs\n")
    monkeypatch.setattr(connect, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setattr(incluster, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    for name, value in INSIDE.items():
        monkeypatch.setenv(name, value)
    at_once = SimpleNamespace(timedelta=lambda minutes: timedelta(0), datetime=datetime)
    monkeypatch.setattr(incluster, "datetime", at_once)
    client, namespace = await load_client(Access(None, None, None))
    assert (client.configuration.host, namespace) == ("https://10.0.0.1:443", "runs")
    assert await token_of(client) == "bearer first"
    (tmp_path / "token").write_text("second")
    assert await token_of(client) == "bearer second"


async def test_outside_of_a_cluster_there_is_no_service_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ExecutorUnusable, match="the service account of this Pod cannot be used"):
        await load_client(Access(None, None, None))


async def test_without_the_extra_it_is_said_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes.aio.client", None)
    with pytest.raises(ExecutorUnusable, match=r"pip install 'leoflow\[kubernetes\]'"):
        await load_client(Access(str(write(tmp_path, {})), None, None))
