"""The system's words are shown without its numbers, which tell people nothing."""

from __future__ import annotations

import pytest
from leoflow_builder.systemwords import system_words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("[Errno 111] Connection refused"), "Connection refused"),
        (ValueError("[Errno -2] Name or service not known"), "Name or service not known"),
        (ValueError("All connection attempts failed"), "All connection attempts failed"),
        (ValueError("it says [Errno 5] here"), "it says [Errno 5] here"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_the_number_goes_and_the_words_stay(error: Exception, words: str) -> None:
    assert system_words(error) == words
