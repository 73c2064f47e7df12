"""Finds the cluster and who we are there. The one place that imports a Kubernetes client; makes no
call of the API server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from leoflow_controlplane.error import ExecutorUnusable

DEFAULT_NAMESPACE = "default"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Access(NamedTuple):
    """Which cluster to use as whom. ``kubeconfig``: its files, None in a cluster."""

    kubeconfig: str | None
    context: str | None
    namespace: str | None


def choose_access(
    environment: Mapping[str, str], context: str | None, namespace: str | None
) -> Access:
    """Choose as kubectl does: KUBECONFIG, else ~/.kube/config, else the cluster that this is in."""
    named = environment.get("KUBECONFIG")
    usual = Path(environment.get("HOME") or Path.home()) / ".kube" / "config"
    inside = bool(environment.get("KUBERNETES_SERVICE_HOST"))
    if named:
        files = named
    elif usual.exists() or context is not None or not inside:
        files = str(usual)
    else:
        return Access(None, None, namespace)
    if not any(Path(file).expanduser().is_file() for file in files.split(":") if file):
        raise ExecutorUnusable(
            f"there is no kubeconfig at '{files}'. Set KUBECONFIG to the file that says how to "
            "reach the cluster."
        )
    return Access(files, context, namespace)


async def load_client(access: Access) -> tuple[Any, str]:
    """Give a client that knows the cluster and who we are there, and the namespace to work in.

    Tokens that get too old are renewed by it. Raises ExecutorUnusable.
    """
    module = await asyncio.to_thread(_import_client)
    configuration = module.client.Configuration()
    # Python 3.13 refuses what kubectl takes: CAs of clusters that lack extensions of RFC 5280. The
    # chain, the name and the time are checked all the same.
    configuration.disable_strict_ssl_verification = True
    try:
        if access.kubeconfig is None:
            module.config.load_incluster_config(configuration)
            namespace = _own_namespace()
        else:
            namespace = await _load_kubeconfig(module, access, configuration)
        _settle_proxy(configuration)
        client = module.client.ApiClient(configuration)
    except ExecutorUnusable:
        raise
    except Exception as error:
        # The loader raises whatever its parsers do.
        where = (
            "the service account of this Pod"
            if access.kubeconfig is None
            else (f"kubeconfig '{access.kubeconfig}'")
        )
        fix = (
            ""
            if access.context is None
            else f". The context '{access.context}' is asked for by LEOFLOW_KUBERNETES_CONTEXT; "
            "'kubectl config get-contexts' lists those that there are"
        )
        raise ExecutorUnusable(f"{where} cannot be used: {error}{fix}") from error
    client.user_agent = "leoflow"
    return client, access.namespace or namespace or DEFAULT_NAMESPACE


def _import_client() -> Any:
    # Any module of the package loads all of it but its models, with aiohttp: half a second of CPU
    # and 20 MB. Where `kubernetes-validate` is installed, for tests, it is taken up too, and is
    # most of what is then 3 s and 40 MB.
    try:
        import kubernetes.aio.client
        import kubernetes.aio.config
    except ImportError as error:
        raise ExecutorUnusable(
            f"the executor 'kubernetes' needs a package that is not installed ({error}). "
            "Install it: pip install 'leoflow[kubernetes]'"
        ) from None
    return kubernetes.aio


async def _load_kubeconfig(module: Any, access: Access, configuration: Any) -> str | None:
    loader = await module.config.load_kube_config(
        access.kubeconfig, access.context, configuration, persist_config=False
    )
    user = loader._user
    if user is None or "exec" not in user:
        return _namespace_of(loader)
    if "BearerToken" not in configuration.api_key and not configuration.cert_file:
        # The loader only logs what a plugin says; asked itself, it raises.
        from kubernetes.aio.config.exec_provider import ExecProvider

        await ExecProvider(user["exec"]).run()
        raise ExecutorUnusable(
            f"the credential plugin of kubeconfig '{access.kubeconfig}' gave neither a token nor a "
            "certificate"
        )
    renewing = asyncio.Lock()

    async def renew(config: Any) -> None:
        # The loader asks the plugin only if what it said last is about to expire.
        if getattr(loader, "exec_plugin_expiry", None) is not None:
            async with renewing:
                await loader.load_from_exec_plugin()
            config.api_key["BearerToken"] = loader.token

    configuration.refresh_api_key_hook = renew
    return _namespace_of(loader)


def _settle_proxy(configuration: Any) -> None:
    """Choose the proxy once, as the environment says; the client would do so at each call."""
    parts = urlsplit(configuration.host)
    if configuration.proxy is None and not proxy_bypass(parts.hostname or ""):
        configuration.proxy = getproxies().get(parts.scheme)


def _namespace_of(loader: Any) -> str | None:
    namespace = loader.current_context.get("context", {}).get("namespace")
    return str(namespace) if namespace else None


def _own_namespace() -> str | None:
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text().strip() or None
    except OSError:
        return None
