"""What is told of buildx's progress, and of an engine that does not answer."""

import subprocess
from pathlib import Path

import pytest
from leoflow_builder.engine import BuildOrder, WhalesEngine, steps
from leoflow_builder.failure import EngineError

PROGRESS = """\
#0 building with "default" instance using docker driver

#3 [internal] load build context
#3 transferring context: 212.68MB 0.6s done
#4 [2/4] ADD --link agent.tar /
#4 DONE 0.0s
#5 [3/4] ADD --link deps.tar /
#5 CACHED
#7 exporting layers
#7 exporting layers 1.4s done
#7 unpacking to registry.invalid/leoflow/x:1
#7 unpacking to registry.invalid/leoflow/x:1 1.6s done
"""


def test_each_step_is_told_once_in_order() -> None:
    assert list(steps(PROGRESS.splitlines())) == [
        "sending new layers to the engine",
        "compressing new layers",
        "unpacking the image in the engine",
    ]


def fake_docker(folder: Path, said: str) -> None:
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    program.chmod(0o755)
    assert subprocess.run([program], capture_output=True).returncode == 1


class Classic(WhalesEngine):
    """An engine whose image store needs not be asked for."""

    def stores_manifests(self) -> bool:
        return False


def build(folder: Path) -> str:
    order = BuildOrder(folder, folder / "Dockerfile", "a:1", "linux/amd64")
    return Classic().build(order, print)


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("Cannot connect to the Docker daemon at unix:///x.sock.", "point DOCKER_HOST at it"),
        ("permission denied while trying to connect", "by the group"),
        ("unknown flag: --progress", "Install docker-buildx"),
        ("docker: buildx is not a docker command.", "Install docker-buildx"),
    ],
)
def test_an_engine_that_does_not_answer_is_told_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, advice: str
) -> None:
    fake_docker(tmp_path, said)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(EngineError) as caught:
        build(tmp_path)
    assert said in str(caught.value)
    assert advice in str(caught.value)


def test_a_missing_docker_command_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineError, match="`docker` command"):
        build(tmp_path)
