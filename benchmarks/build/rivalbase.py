"""Makes the base image of the hand-written Dockerfiles: Debian's Python 3.11 with pip and uv.

It stands for `python:3.11-slim`, and needs no registry. Nothing of it is measured.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.build.process import BenchError, Shell, output_of

SUITE = "bookworm"
DEBIAN = f"leoflow-bench/debian:{SUITE}"
PYTHON = "leoflow-bench/python:3.11"
PACKAGES = ("python3.11", "python3.11-venv", "ca-certificates")
PROJECT = Path(__file__).with_name("project")


def ensure_base(work: Path, index_url: str, shell: Shell) -> None:
    """Have the base in the engine that answers; made once for each work folder."""
    if not _has(DEBIAN):
        archive = work / "debian.tar"
        if not archive.exists():
            _bootstrap(archive, shell)
        shell.run(["docker", "import", str(archive), DEBIAN])
    if not _has(PYTHON):
        command = ["docker", "buildx", "build", "--network", "host", "--provenance=false"]
        command += ["--build-arg", f"INDEX_URL={index_url}", "--tag", PYTHON]
        shell.run([*command, "--file", str(PROJECT / "Dockerfile.base"), str(PROJECT)])


def _has(image: str) -> bool:
    return bool(output_of(["docker", "image", "ls", "--quiet", image]).strip())


def _bootstrap(archive: Path, shell: Shell) -> None:
    unfinished = archive.with_suffix(".unfinished")
    command = ["mmdebstrap", "--variant=minbase", "--format=tar", "--quiet"]
    command += [f"--include={','.join(PACKAGES)}"]
    for kind in ("doc", "man", "locale", "info"):
        command.append(f"--dpkgopt=path-exclude=/usr/share/{kind}/*")
    mirror = _mirror()
    shell.run([*command, SUITE, str(unfinished), *([mirror] if mirror else [])])
    unfinished.replace(archive)


def _mirror() -> str | None:
    """Return this machine's Debian mirror, or None where apt knows none."""
    try:
        listed = output_of(
            ["apt-get", "indextargets", "--format", "$(ORIGIN)\t$(CODENAME)\t$(REPO_URI)"]
        )
    except BenchError:
        return None
    for line in listed.splitlines():
        origin, codename, uri = line.split("\t")
        if origin == "Debian" and codename == SUITE:
            return uri
    return None
