"""What container runtimes and registries say of a pull that failed: whether asking again may help,
and what to do about it. Pure."""

from __future__ import annotations

_ABSENT = (
    "not found",
    "manifest unknown",
    "name unknown",
    "no match for platform",
    "no matching manifest",
    "invalid reference",
)
_NOT_LET_IN = (
    "denied",
    "unauthorized",
    "403 forbidden",
    "authentication required",
    "authorization failed",
    "no basic auth credentials",
)
# Go's words for a certificate that is no good, and for one that is expected and not there.
_NOT_TRUSTED = ("x509:", "server gave http response to https client")
_PASSING = ("no such host", "toomanyrequests", "too many requests")

SECRET_ADVICE = (
    "Name a Secret of type kubernetes.io/dockerconfigjson of its namespace, with credentials for "
    "this registry, in image_pull_secrets of the task, or in LEOFLOW_KUBERNETES_IMAGE_PULL_SECRETS "
    "for all tasks"
)
TRUST_ADVICE = (
    "Its node has to trust the certificate of the registry, or to be told that it is on plain "
    "HTTP: its container runtime is set up for that, containerd in hosts.toml"
)


def is_hopeless(words: str) -> bool:
    """Say whether asking a registry again hardly helps."""
    said = words.lower()
    final = _has(said, (*_ABSENT, *_NOT_LET_IN, *_NOT_TRUSTED))
    return final and not _has(said, _PASSING)


def advise(words: str) -> str:
    """Say what to do about a pull that failed with ``words``; empty if they say it themselves."""
    said = words.lower()
    if _has(said, _NOT_TRUSTED):
        return TRUST_ADVICE
    return SECRET_ADVICE if _has(said, _NOT_LET_IN) else ""


def _has(said: str, phrases: tuple[str, ...]) -> bool:
    return any(phrase in said for phrase in phrases)
