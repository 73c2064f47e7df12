"""The Python of an image, run in a container without network. It changes nothing in the image."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from uuid import uuid4

from leoflow_builder.failure import EngineError
from leoflow_builder.ownimage.pythonhome import plain_environment, write_user_site
from leoflow_builder.scratch import scratch_folder


class ContainerInterpreter:
    """The Python of an image, run in a container that sees some folders of the host.

    ``folders`` are mounted at their own paths: what runs can read and write them.
    """

    def __init__(
        self, image: str, python: str, python_minor: str, folders: Sequence[Path] = ()
    ) -> None:
        self._image = image
        self._python = python
        self._minor = python_minor
        self._folders = [*folders, Path(tempfile.gettempdir())]

    def run(
        self,
        args: Sequence[str],
        *,
        path: Sequence[Path] = (),
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout_seconds: float,
    ) -> CompletedProcess[bytes]:
        """Run `python ARGS`; see `Interpreter.run`."""
        name = f"leoflow-python-{uuid4().hex[:12]}"
        with scratch_folder("leoflow-python-") as home:
            variables = {**plain_environment(home), **(env or {})}
            write_user_site(home, self._minor, path)
            options = self._options(name, variables, cwd or home)
            command = ["docker", "run", *options, self._image, *args]
            try:
                return subprocess.run(
                    command, input=stdin or b"", capture_output=True, timeout=timeout_seconds
                )
            except FileNotFoundError:
                raise EngineError("the `docker` command is not on PATH. Install it") from None
            except BaseException:
                _remove(name)
                raise

    def _options(self, name: str, variables: Mapping[str, str], cwd: Path) -> list[str]:
        options = ["--rm", "--interactive", "--name", name, "--network", "none", "--pull", "never"]
        options += ["--user", f"{os.getuid()}:{os.getgid()}", "--workdir", str(cwd)]
        for folder in dict.fromkeys(one.resolve() for one in self._folders):
            options += ["--mount", f"type=bind,source={folder},target={folder}"]
        for key, value in variables.items():
            options += ["--env", f"{key}={value}"]
        return [*options, "--entrypoint", self._python]


def _remove(name: str) -> None:
    """Remove a container that outlived its command, as after a time-out."""
    subprocess.run(["docker", "rm", "--force", name], capture_output=True)
