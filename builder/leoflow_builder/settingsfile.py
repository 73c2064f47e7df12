"""Reads leoflow.yaml and checks it against its model: what is slow about a project's settings.

Pure: that the same text need not be read twice is the caller's knowledge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from leoflow_builder.complaint import complain
from leoflow_builder.problem import Problem
from leoflow_builder.settings import FOREIGN_KEYS, Settings
from leoflow_builder.writtenmodel import plain
from leoflow_builder.yamlfile import parse_yaml
from leoflow_builder.yamlplace import YamlFile

# What decides which interpreter and packages the code is read with.
_GROUND = {
    ("python_version",),
    ("dependencies",),
    ("dependencies_from",),
    ("system_packages",),
    ("base_image",),
    ("dockerfile",),
    ("image",),
}


@dataclass(frozen=True)
class SettingsRead:
    """What is valid of leoflow.yaml, as a document for `said.said_project`, and what is not.

    ``blind``: what the code runs on is not known.
    """

    file: YamlFile
    settings: Mapping[str, Any]
    problems: tuple[Problem, ...]
    blind: bool = False


def read_settings(text: str, name: str) -> SettingsRead:
    """Return the settings in the text of the file called ``name``."""
    file, problems = parse_yaml(text, name)
    value = _with_texts(file)
    if not isinstance(value, dict):
        blind = bool(problems) or value is not None
        if value is not None:
            problems.append(file.problem((), "has to be a mapping of names to values"))
        return SettingsRead(file, {}, tuple(problems), blind)
    try:
        return SettingsRead(file, plain(Settings.model_validate(value)), tuple(problems))
    except ValidationError as error:
        complaints = complain(error, Settings, FOREIGN_KEYS)
        problems += [file.problem(path, text) for path, text in complaints]
        blind = any(path[:1] in _GROUND for path, _ in complaints)
        return SettingsRead(file, plain(_valid_part(value, error)), tuple(problems), blind)


def _with_texts(file: YamlFile) -> Any:
    """Return the value with numbers in `environment` as they are written: 1.10, not 1.1."""
    value = file.value
    environment = value.get("environment") if isinstance(value, dict) else None
    if not isinstance(environment, dict):
        return value
    texts = {
        name: file.texts[("environment", name)]
        for name, item in environment.items()
        if isinstance(item, (int, float)) and not isinstance(item, bool)
    }
    return {**value, "environment": {**environment, **texts}}


def _valid_part(value: dict[str, Any], error: ValidationError) -> Settings:
    """Return the settings without what is wrong, so that the rest can still be checked."""
    wrong = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
    return Settings.model_validate({key: item for key, item in value.items() if key not in wrong})
