"""A folder or an archive as the destination of images; neither takes an engine or a network."""

from __future__ import annotations

from pathlib import Path

from leoflow_builder.destination import Receipt, Say
from leoflow_builder.failure import BuildError
from leoflow_builder.oci.layout import Bundle, make_archive, write_folder
from leoflow_builder.oci.presence import archive_has, folder_has
from leoflow_builder.wholefile import beside


class LayoutFolder:
    """An OCI layout in a folder, to which images are added."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    is_engine = False

    @property
    def place(self) -> str:
        """See `Destination`."""
        return f"folder {self._folder}"

    def require(self) -> None:
        """See `Destination`; what is no layout of OCI's is not written into."""
        if self._folder.exists() and not self._is_usable():
            raise BuildError(
                f"'{self._folder}' is neither empty nor an OCI layout, and nothing in it is "
                "overwritten. Name another folder with --output"
            )

    def has(self, name: str, image_id: str) -> bool:
        """See `Destination`."""
        return folder_has(self._folder, name, image_id)

    def receive(self, bundle: Bundle, say: Say) -> Receipt:
        """See `Destination`."""
        say(f"writing an OCI layout into '{self._folder}'")
        try:
            new = write_folder(bundle, self._folder)
        except OSError as error:
            raise _unwritable(self._folder, error) from None
        return Receipt(bundle.top.digest, new)

    def _is_usable(self) -> bool:
        if not self._folder.is_dir():
            return False
        return (self._folder / "oci-layout").is_file() or not any(self._folder.iterdir())


class ArchiveFile:
    """One file for `docker load`, podman and skopeo."""

    def __init__(self, file: Path) -> None:
        self._file = file.absolute()

    is_engine = False

    @property
    def place(self) -> str:
        """See `Destination`."""
        return f"archive {self._file}"

    def require(self) -> None:
        """See `Destination`; an archive that is there is replaced."""
        if self._file.is_dir():
            raise BuildError(f"'{self._file}' is a folder. Name a file, or a folder without '.tar'")

    def has(self, name: str, image_id: str) -> bool:
        """See `Destination`."""
        return archive_has(self._file, name, image_id)

    def receive(self, bundle: Bundle, say: Say) -> Receipt:
        """See `Destination`."""
        say(f"writing '{self._file}'")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with beside(self._file) as unfinished, unfinished.open("wb") as file:
                file.writelines(make_archive(bundle).pieces)
        except OSError as error:
            raise _unwritable(self._file, error) from None
        return Receipt(bundle.top.digest, self._file.stat().st_size)


def _unwritable(path: Path, error: OSError) -> BuildError:
    return BuildError(
        f"'{path}' cannot be written: {error.strerror}. Free space, or name another place with "
        "--output"
    )
