"""Which images of the user's own can be a base."""

from typing import Any

import pytest
from leoflow_builder.ownbase import refusal

GOOD: dict[str, Any] = {
    "implementation": "CPython",
    "python_version": "3.11.9",
    "libc": "glibc 2.36",
    "machine": "x86_64",
}


def test_a_cpython_of_the_right_minor_on_glibc_is_taken() -> None:
    assert refusal("my/base", "3.11", GOOD) is None


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
    reason = str(refusal("my/base", "3.11", {**GOOD, **facts}))
    assert words in reason
    assert "'my/base'" in reason
