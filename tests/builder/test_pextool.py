"""How pex is called and what is read out of its answers; no process is started."""

import json
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from leoflow_builder.lock import LockedPackage
from leoflow_builder.pextool import Pex, certificate_arguments, locked_packages
from leoflow_builder.target import Target
from leoflow_builder.wheeltool import Unresolvable, Wanted

TARGET = Target("3.11.2", "2.36", "amd64")
URL = "https://user:secret@host/packages/ab/torch-2.1.0%2Bcpu-cp311-cp311-linux_x86_64.whl"
FOUND = {
    "locked_resolves": [
        {
            "locked_requirements": [
                {
                    "project_name": "Torch",
                    "version": "2.1.0+cpu",
                    "artifacts": [{"algorithm": "sha256", "hash": "ab", "url": URL}],
                }
            ]
        }
    ]
}
TORCH = LockedPackage("torch", "2.1.0+cpu", "torch-2.1.0+cpu-cp311-cp311-linux_x86_64.whl", "ab")


class FakePex:
    """Answers like pex, and keeps what it was asked and the files that it was given."""

    def __init__(self, exit_code: int = 0, stderr: str = "", log: str = "") -> None:
        self.answer = (exit_code, stderr, log)
        self.arguments: list[str] = []
        self.files: dict[str, str] = {}

    def __call__(self, arguments: Sequence[str]) -> "CompletedProcess[str]":
        exit_code, stderr, log = self.answer
        self.arguments = list(arguments)
        self.files = {name: Path(self.value(name)).read_text() for name in self._given()}
        Path(self.value("--pip-log")).write_text(log)
        if "-o" in self.arguments:
            Path(self.value("-o")).write_text(json.dumps(FOUND))
        return CompletedProcess(self.arguments, exit_code, "", stderr)

    def value(self, option: str) -> str:
        return self.arguments[self.arguments.index(option) + 1]

    def _given(self) -> list[str]:
        return [name for name in ("-r", "--complete-platform") if name in self.arguments]


def test_what_pex_works_on_for_a_while_is_gone_with_the_call(tmp_path: Path) -> None:
    run = FakePex()
    Pex(tmp_path, run).resolve(Wanted(("torch",)), TARGET)
    assert Path(run.value("--tmpdir")) == Path(run.value("-r")).parent
    assert not Path(run.value("--tmpdir")).exists()


def test_the_index_settings_of_the_host_are_used_and_only_wheels_taken(tmp_path: Path) -> None:
    run = FakePex()
    Pex(tmp_path, run).resolve(Wanted(("torch",)), TARGET)
    for option in ("--use-pip-config", "--wheel", "--no-build"):
        assert option in run.arguments
    assert run.value("--resolver-version") == "pip-2020-resolver"
    assert run.value("--pex-root") == str(tmp_path)


def test_requirements_are_given_in_a_file_and_never_as_options(tmp_path: Path) -> None:
    run = FakePex()
    Pex(tmp_path, run).resolve(Wanted(("torch>=2", "a")), TARGET)
    assert run.files["-r"] == "torch>=2\na\n"
    assert "torch>=2" not in run.arguments


def test_the_platform_is_the_image_s(tmp_path: Path) -> None:
    run = FakePex()
    Pex(tmp_path, run).resolve(Wanted(("torch",)), TARGET)
    tags = json.loads(run.files["--complete-platform"])["compatible_tags"]
    assert tags[0] == "cp311-cp311-manylinux_2_36_x86_64"


def test_what_was_found_has_a_file_name_and_no_address(tmp_path: Path) -> None:
    assert Pex(tmp_path, FakePex()).resolve(Wanted(("torch",)), TARGET) == [TORCH]


def test_a_hash_of_another_kind_is_refused() -> None:
    document = json.loads(json.dumps(FOUND).replace("sha256", "md5"))
    with pytest.raises(ValueError, match="md5"):
        locked_packages(document)


def test_unpacking_takes_the_locked_hashes_and_nothing_else(tmp_path: Path) -> None:
    run = FakePex()
    Pex(tmp_path, run).unpack([TORCH], TARGET, tmp_path / "to")
    assert run.files["-r"] == "torch==2.1.0+cpu --hash=sha256:ab\n"
    assert "--no-transitive" in run.arguments
    assert run.value("-d") == str(tmp_path / "to")


def test_what_is_unpacked_is_not_linked_to_pex_s_cache(tmp_path: Path) -> None:
    run = FakePex()
    Pex(tmp_path, run).unpack([TORCH], TARGET, tmp_path / "to")
    assert "--site-packages-copies" in run.arguments


def test_a_failure_is_explained_from_pip_s_log(tmp_path: Path) -> None:
    stderr = "pip: ERROR: No matching distribution found for docopt\n"
    run = FakePex(
        1, stderr, "Skipping link: No sources permitted for docopt: https://h/docopt-0.6.2.tar.gz"
    )
    with pytest.raises(Unresolvable) as caught:
        Pex(tmp_path, run).resolve(Wanted(("docopt",)), TARGET)
    assert caught.value.failure.kind == "sdist_only"


@pytest.mark.parametrize(
    ("environment", "arguments"),
    [
        ({}, []),
        ({"SSL_CERT_FILE": "/own.pem"}, ["--cert", "/own.pem"]),
        ({"SSL_CERT_FILE": "/own.pem", "PIP_CERT": "/pip.pem"}, []),
        ({"SSL_CERT_FILE": "/own.pem", "REQUESTS_CA_BUNDLE": "/requests.pem"}, []),
    ],
)
def test_certificates_that_pip_would_not_find(
    environment: dict[str, str], arguments: list[str]
) -> None:
    assert certificate_arguments(environment) == arguments
