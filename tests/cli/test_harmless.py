"""A task can colour its lines, and can do nothing else to the terminal of whoever reads them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_cli.harmless import harmless, split_lines

RED, RESET = "\x1b[31m", "\x1b[0m"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ü, 😀, \ttab", "plain, ü, 😀, \ttab"),
        (f"{RED}red{RESET}", f"{RED}red{RESET}{RESET}"),
        (f"{RED}never ended", f"{RED}never ended{RESET}"),
        ("\x1b[38;5;9m256\x1b[38:2::1:2:3mtrue", "\x1b[38;5;9m256\x1b[38:2::1:2:3mtrue" + RESET),
        ("a\x1b[2J\x1b[Hb", "ab"),
        ("grep\x1b[K", "grep"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]never ended", "never ended"),
        ("\x1bPq#0;2\x1b\\sixel", "sixel"),
        ("\x1bcreset \x1b(0charset", "reset charset"),
        ("\x9b2J\x9d0;title\x9c8 bit", "8 bit"),
        ("\x9b31mno colour that all terminals know", "no colour that all terminals know"),
        ("bell\x07 back\x08 nul\x00 del\x7f", "bell^G back^H nul^@ del^?"),
        ("end\x1b", "end^["),
        ("\x84\x85", r"\x84\x85"),
        ("50 %\r", "50 %"),
    ],
)
def test_of_all_that_moves_a_terminal_only_colours_pass(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_sequences_that_never_end_do_not_hold_the_screen_up() -> None:
    # What is looked through again for each of them takes ten minutes.
    text = "\x90a" * 200_000
    assert harmless(text) == r"\x90a" * 200_000


@given(st.text(alphabet=st.sampled_from("\x1b[]2Jm;\x07\x9b\x9c\\\x00P a")))
def test_what_is_left_is_colours_and_letters(text: str) -> None:
    left = re.sub(r"\x1b\[[0-9;:]*m", "", harmless(text))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", left)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("one\r\ntwo\r\n", ["one", "two"]),
        ("10 %\r20 %\r", ["10 %", "20 %"]),
        ("a\x0bb\x0cc\u2028d\x85e", ["a\x0bb\x0cc\u2028d\x85e"]),
        ("\n", [""]),
        ("", []),
    ],
)
def test_a_line_ends_where_people_see_it_end(text: str, lines: list[str]) -> None:
    assert split_lines(text) == lines
