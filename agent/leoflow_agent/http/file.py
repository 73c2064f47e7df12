"""The file that an http_api task leaves in its artifacts: written in pieces, named when whole.

Only ``http.task`` imports it.
"""

import hashlib
import os

from leoflow_agent import exitcode
from leoflow_agent.exitcode import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import FileIO
    from types import TracebackType

_UNFINISHED = ".part"


class ArtifactFile:
    """A file called ``name`` below ``folder``. Leaving the context without `finish` removes it.

    What SIGTERM raises in a task does so as well: no half of a file stays.
    """

    def __init__(self, folder: "str | None", name: str) -> None:
        if not folder:
            raise Verdict(
                exitcode.USER_FAILURE,
                f"save_as '{name}' needs a folder for files, and LEOFLOW_ARTIFACTS names none: "
                "build the project again",
            )
        self._name = name
        self._path = os.path.join(folder, name)
        self._file: FileIO | None = None
        self._digest = hashlib.sha256()
        self._size = 0

    def __enter__(self) -> "ArtifactFile":
        return self

    def __exit__(
        self,
        _type: "type[BaseException] | None",
        _error: "BaseException | None",
        _trace: "TracebackType | None",
    ) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget what was written: the answer did not come to its end."""
        if self._file is not None:
            self._file.close()
            self._file = None
            os.unlink(self._path + _UNFINISHED)
        self._digest, self._size = hashlib.sha256(), 0

    def write(self, chunk: bytes) -> None:
        """Append ``chunk``; Verdict if the disk takes no more."""
        self._digest.update(chunk)
        try:
            while chunk:
                written = self._open().write(chunk)
                chunk = chunk[written:]
                self._size += written
        except OSError as error:
            raise self._refused(error) from None

    def finish(self) -> "dict[str, object]":
        """Give the file its name, and return its figures."""
        try:
            self._open().close()
            os.replace(self._path + _UNFINISHED, self._path)
        except OSError as error:
            raise self._refused(error) from None
        self._file = None
        return {"path": self._name, "size_bytes": self._size, "sha256": self._digest.hexdigest()}

    def _open(self) -> "FileIO":
        if self._file is None:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            self._file = open(self._path + _UNFINISHED, "wb", buffering=0)  # noqa: SIM115
        return self._file

    def _refused(self, error: OSError) -> Verdict:
        return Verdict(
            exitcode.USER_FAILURE,
            f"the answer cannot be written to '{self._name}' after {self._size} bytes: "
            f"{error.strerror}",
        )
