"""What may stand in leoflow.yaml, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from leoflow_builder.complaint import complain
from leoflow_builder.identifier import check_id
from leoflow_builder.settings import FOREIGN_KEYS, Settings
from pydantic import ValidationError


def complaints(value: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(value)
    return [message for _, message in complain(caught.value, Settings, FOREIGN_KEYS)]


def test_an_empty_file_is_a_whole_project() -> None:
    settings = Settings.model_validate({})
    assert (settings.python_version, settings.dependencies, settings.tasks) == ("3.11", [], {})


def test_numbers_become_text_in_the_environment() -> None:
    assert Settings.model_validate({"environment": {"A": 1, "B": "x"}}).environment == {
        "A": "1",
        "B": "x",
    }


def test_a_budget_may_be_set_in_part() -> None:
    assert Settings.model_validate({}).budget.import_ms is None
    budget = Settings.model_validate({"budget": {"compressed_mb": 60}}).budget
    assert (budget.compressed_mb, budget.user_code_ms) == (60, None)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"default": {}}, "unknown key 'default'. Did you mean 'defaults'?"),
        ({"zzz": 1}, "unknown key 'zzz'. Known are dag_id, python_version, entry, "),
        ({"requirements": []}, "unknown key 'requirements': it is called 'dependencies' here"),
        ({"defaults": {"retrys": 1}}, "unknown key 'retrys'. Did you mean 'retries'?"),
        (
            {"tasks": {"a": {"resources": {"request": {}}}}},
            "unknown key 'request'. Did you mean 'requests'?",
        ),
        ({"tasks": {"a": {"retry_delay": 1}}}, "unknown key 'retry_delay': it is called"),
        ({"tasks": {"a": None}}, "tasks.a has to be a mapping of names to values, not empty"),
        ({"dependencies": "pandas"}, "dependencies has to be a list, not 'pandas'"),
        ({"dependencies": [1]}, "dependencies.0 has to be text, not '1'"),
        ({"dependencies": ["pandas=2"]}, "dependencies.0: 'pandas=2' is no requirement"),
        ({"defaults": {"retries": "2"}}, "defaults.retries has to be a whole number, not '2'"),
        ({"defaults": {"retries": -2}}, "defaults.retries is '-2': input should be greater"),
        (
            {"defaults": {"trigger_rule": "all_don"}},
            "trigger rule 'all_don' is none that leoflow knows. Did you mean 'all_done'?",
        ),
        ({"defaults": {"trigger_rule": "x"}}, "trigger rule 'x' is none that leoflow knows. There"),
        ({"python_version": 3.1}, "python_version: is a number to YAML, in which 3.10 is 3.1"),
        ({"python_version": "3.11.2"}, "python_version: '3.11.2' is none that leoflow knows"),
        ({"dag_id": "a b"}, "dag_id: 'a b' may hold only letters, digits"),
        ({"dag_id": "a" * 251}, "dag_id: 'aaaa"),
        ({"environment": {"A": True}}, "environment.A: YAML reads this as true: write it in"),
        ({"environment": {"A": None}}, "environment.A: has to be text: write it in quotes"),
        ({"environment": {"A-B": "x"}}, "environment.A-B: 'A-B' cannot be the name of an env"),
        ({"environment": {"LEOFLOW_X": "x"}}, "environment.LEOFLOW_X: names with LEOFLOW_ are"),
        ({"entry": "flows/dag.py"}, "entry: 'flows/dag.py' has to be a .py or .yaml file dir"),
        ({"budget": {"import_ms": 0}}, "budget.import_ms is '0': input should be greater than 0"),
        ({"budget": {"import_ms": "1"}}, "budget.import_ms has to be a number, not '1'"),
        ({"budget": {"import": 1}}, "unknown key 'import'. Did you mean 'import_ms'?"),
        ({"budget": {"import_ms": True}}, "budget.import_ms has to be a number, not"),
        ({"budget": {"import_ms": float("inf")}}, "budget.import_ms is 'inf'"),
        ({"base_image": ""}, "base_image is '': string should have at least 1 character"),
        ({"base_image": "a", "image": "b"}, "image: there is 'base_image' as well: keep one"),
        ({"dockerfile": "D", "image": "b"}, "image: there is 'dockerfile' as well: keep one"),
        ({"dockerfile": "../D"}, "dockerfile: '../D' is not in the project: write its path"),
        ({"dockerfile": "/D"}, "dockerfile: '/D' is not in the project: write its path"),
        (
            {"image": "b", "dependencies_from": "uv.lock"},
            "image: a ready image brings its packages, and nothing is installed into it. "
            "Remove 'dependencies_from'",
        ),
    ],
)
def test_what_is_wrong_is_said_in_the_users_words(value: Any, message: str) -> None:
    (found,) = complaints(value)
    assert found.startswith(message)


def test_everything_wrong_is_said_at_once() -> None:
    value = {"a": 1, "defaults": {"retries": "x", "b": 1}, "tasks": {"t": {"c": 1}}}
    assert len(complaints(value)) == 4


@pytest.mark.parametrize("text", ["a", "a-b_c.d", "9", "a" * 250])
def test_ids_follow_airflows_rule(text: str) -> None:
    assert check_id(text) == text


@pytest.mark.parametrize("text", ["", "a b", "ä", "a/b", "a\n"])
def test_other_ids_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="may hold only letters"):
        check_id(text)
