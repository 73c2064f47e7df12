"""Which images of the user's own can be a base."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from subprocess import run
from typing import Any

import pytest
from leoflow_builder.ownimage.probe import PROBE, Facts, read_facts, refusal

GOOD = Facts(
    python="/usr/bin/python3.11",
    python_version="3.11.9",
    implementation="CPython",
    machine="x86_64",
    libc="glibc 2.36",
    sites=("/usr/lib/python3/dist-packages",),
    has_pth=False,
    bash=True,
)


def test_a_cpython_of_the_right_minor_on_glibc_is_taken() -> None:
    assert refusal("base_image 'my/base'", "3.11", GOOD) is None


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"libc": None}, "no glibc (Alpine has musl)"),
        ({"libc": "musl 1.2"}, "no glibc (Alpine has musl)"),
        ({"python_version": "3.12.1"}, "has CPython 3.12.1, and the project wants Python 3.11"),
        ({"python_version": "3.1.1"}, "has CPython 3.1.1"),
        ({"implementation": "PyPy"}, "has PyPy 3.11.9"),
        ({"machine": "riscv64"}, "for 'riscv64'"),
    ],
)
def test_another_one_is_refused_by_name(facts: dict[str, Any], words: str) -> None:
    reason = str(refusal("base_image 'my/base'", "3.11", replace(GOOD, **facts)))
    assert words in reason
    assert "'my/base'" in reason


def test_the_probe_tells_of_any_python() -> None:
    done = run([sys.executable, "-c", PROBE], capture_output=True, check=True)
    facts = read_facts(done.stdout)
    assert facts.python_version.startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    assert facts.sites


@pytest.mark.parametrize("printed", [b"", b"hello", b"[]", json.dumps({"a": 1}).encode()])
def test_what_is_no_answer_is_refused(printed: bytes) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        read_facts(printed)
