"""Why an image cannot be looked into; each text says what to do."""

from __future__ import annotations

from leoflow_builder.failure import BuildError


class InspectionError(BuildError):
    """An image cannot be looked into."""


class ImageNotFound(InspectionError):
    """There is no image of that name; the text says where it was looked for."""


class NotAnImage(InspectionError):
    """A file or folder is there, and is no image."""


class BrokenImage(InspectionError):
    """Part of an image is missing, or is not what its digest says."""


class PlatformUnknown(InspectionError):
    """An image is not made for the platform that is wanted, or for several and none is chosen."""
