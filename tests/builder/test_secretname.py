"""Names of files that people keep secrets in, and names that only look a little like them."""

from __future__ import annotations

import pytest
from leoflow_builder.secretname import looks_secret


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        ".ENV",
        "deep/er/.env.production",
        "tls/server.pem",
        "id_ed25519",
        ".netrc",
        "credentials.json",
        "service-account-prod.json",
        "secrets.yaml",
        ".aws/credentials",
        "home/.ssh/config",
        ".docker/config.json",
        "kubeconfig",
    ],
)
def test_secret(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        ".env.example",
        "env.py",
        "secrets.py",
        "id_rsa.pub",
        "config.json",
        "docker/config.json",
        "keys.csv",
        "monkey.txt",
        "environment.yaml",
        "credentials.md",
        "aws/data.csv",
    ],
)
def test_no_secret(name: str) -> None:
    assert not looks_secret(name)
