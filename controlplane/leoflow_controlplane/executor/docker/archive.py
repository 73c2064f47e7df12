"""Files in the engine's way: it takes and gives them as tar archives. Talks to no engine."""

from __future__ import annotations

import io
import tarfile


def open_folder(path: str) -> bytes:
    """Give an archive that lets everybody write into a folder: a new volume is root's."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        folder = tarfile.TarInfo(path.strip("/"))
        folder.type, folder.mode = tarfile.DIRTYPE, 0o777
        tar.addfile(folder)
    return archive.getvalue()


def only_file(archive: bytes) -> bytes | None:
    """Give what is in the file that an archive begins with; None if that is no file."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            member = tar.next()
            file = tar.extractfile(member) if member is not None and member.isfile() else None
            return None if file is None else file.read()
    except tarfile.TarError:
        return None
