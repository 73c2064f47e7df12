"""What is shown of secrets: nothing to viewers, and to admins what Airflow shows. Pure."""

from __future__ import annotations

from typing import Any

MASK = "***"
# The names that Airflow takes for those of secrets (DEFAULT_SENSITIVE_FIELDS).
SENSITIVE = (
    "access_token",
    "api_key",
    "apikey",
    "authorization",
    "keyfile_dict",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "proxies",
    "proxy",
    "secret",
    "service_account",
    "token",
)


def is_sensitive(name: str) -> bool:
    """Say whether something of that name is likely to be a secret."""
    return any(word in name.lower() for word in SENSITIVE)


def mask_values(value: Any, *, all_of_it: bool, name: str = "") -> Any:
    """Replace what is in ``value`` by the mask: all of it, or what has the name of a secret."""
    if is_sensitive(name) or (all_of_it and not isinstance(value, dict | list)):
        return None if value is None else MASK
    if isinstance(value, dict):
        return {
            key: mask_values(item, all_of_it=all_of_it, name=str(key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [mask_values(item, all_of_it=all_of_it) for item in value]
    return value
