"""Which files look like secrets by their name alone. Pure: nothing is opened."""

from __future__ import annotations

from fnmatch import fnmatchcase

# As a file's own name, or with the folder that it has to lie in.
PATTERNS = (
    ".env",
    ".env.*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    ".pgpass",
    ".pypirc",
    ".git-credentials",
    ".htpasswd",
    "credentials.json",
    "client_secret*.json",
    "service-account*.json",
    "service_account*.json",
    "application_default_credentials.json",
    "secret.*",
    "secrets.*",
    "kubeconfig",
    ".aws/*",
    ".azure/*",
    ".ssh/*",
    ".kube/*",
    ".gnupg/*",
    ".docker/config.json",
)
HARMLESS = ("*.pub", ".env.example", ".env.sample", ".env.template", "*.py", "*.pyi", "*.md")


def looks_secret(name: str) -> bool:
    """Tell whether people keep secrets in files of such a name, a path in the project with "/"."""
    own = name.rpartition("/")[2].lower()
    if any(fnmatchcase(own, pattern) for pattern in HARMLESS):
        return False
    folder = name.lower().split("/")[-2:-1]
    with_folder = "/".join([*folder, own])
    return any(fnmatchcase(with_folder if "/" in one else own, one) for one in PATTERNS)
