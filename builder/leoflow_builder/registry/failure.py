"""What can go wrong with a registry. A secret is never part of a text."""

from __future__ import annotations

from leoflow_builder.failure import BuildError, WishRefused


class RegistryError(BuildError):
    """A registry, or the way to it, failed; the text says what to do."""


class BadReference(RegistryError, WishRefused):
    """A text names no image."""


class CredentialError(RegistryError):
    """Credentials are configured and cannot be read."""


class AccessDenied(RegistryError):
    """The registry wants a login, or does not let this one do what was asked."""


class PlainHttp(RegistryError):
    """The registry and this client disagree on whether they talk TLS."""


class NotInRegistry(RegistryError):
    """The registry has no such manifest, blob or repository."""


class DigestMismatch(RegistryError):
    """Content is not what its digest or its size says."""


class Refused(RegistryError):
    """The registry understood and said no."""


class PlatformMissing(RegistryError):
    """An image is not made for the platform that was asked for."""


class IncompleteImage(RegistryError):
    """An image that is to be pushed lacks a part."""


class Temporary(RegistryError):
    """A failure that a second attempt may not meet. ``retry_after_seconds`` is the registry's
    own wish, if it told one."""

    def __init__(self, text: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_seconds = retry_after_seconds


class GaveUp(RegistryError):
    """Every attempt failed, or the time for further ones is used up."""
