"""The layer of the project's own files and its DagSpec, the one that changes with the code.

Which files these are is ``projectfile``'s.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leoflow_builder.cache import make_key
from leoflow_builder.dagsource import DAG_FOLDER, DagSources
from leoflow_builder.layer import LayerFolder, ensure_layer

LAYOUT = "2"
SPEC_FILE = "/opt/leoflow/dag.json"


def dag_key(files: Mapping[str, Path], spec_json: bytes, python_version: str) -> str:
    """Return a key made of names, contents and executable bits, and of nothing else."""
    parts = [LAYOUT, python_version, hashlib.sha256(spec_json).hexdigest()]
    for name, path in files.items():
        parts += [name, content_key(path)]
    return make_key(parts)


def content_key(path: Path) -> str:
    """Return what tells a file or a link from another one: content and executable bit."""
    if path.is_symlink():
        return f"link {path.readlink()}"
    executable = bool(path.stat().st_mode & stat.S_IXUSR)
    with path.open("rb") as file:
        return f"file {executable} {hashlib.file_digest(file, 'sha256').hexdigest()}"


def ensure_dag_layer(
    sources: DagSources, spec_json: bytes, python_version: str, home: Path
) -> LayerFolder:
    """Return the layer of a project's files and DagSpec, made if it is missing.

    Facts: `not_compiled`, the sources that are no valid Python, with the reasons.
    """

    def fill(tree: Path) -> dict[str, Any]:
        target = tree / DAG_FOLDER.lstrip("/")
        target.mkdir(parents=True)
        for name, path in (*sources.files.items(), *sources.bytecode.items()):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / name, follow_symlinks=False)
        (tree / SPEC_FILE.lstrip("/")).write_bytes(spec_json)
        return {"not_compiled": dict(sources.not_compiled)}

    key = dag_key(sources.files, spec_json, python_version)
    return ensure_layer("dag", home.absolute() / "cache" / "dags", key, fill, "code")
