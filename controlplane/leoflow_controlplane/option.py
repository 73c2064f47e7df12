"""What can be set, and which of the places where it was set counts: flags, then the environment,
then the file, then the default. Reads only what it is given, and reports all mistakes at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from leoflow_controlplane.error import SettingInvalid
from leoflow_controlplane.quantity import Kind

PREFIX = "LEOFLOW_"
MASK = "***"
# Of these names others read what they need: the builder, the client, agents and tests.
OTHERS = frozenset(
    PREFIX + name
    for name in [
        "HOME",
        "CONFIG",
        "SERVER",
        "TOKEN",
        "CA",
        "ARTIFACTS",
        "WORKLOAD",
        "VERDICT_FILE",
        "DAG_FOLDER",
        "DEBIAN_MIRROR",
        "DAG_READ_TIMEOUT_SECONDS",
        "INSECURE_REGISTRIES",
        "STAGING",
        "IMAGE_LOADER",
        "PROCESS",
        "TEST_HOME",
        "TEST_PYTHON",
    ]
)


@dataclass(frozen=True)
class Option:
    """Something that can be set. ``name`` is its key in the file; flag and variable follow from it
    where they are not given. A ``secret`` is never shown."""

    name: str
    kind: Kind
    default: Any
    meaning: str
    secret: bool = False
    variable: str = ""
    flag: str = ""

    def __post_init__(self) -> None:
        """Derive the names that are not given."""
        object.__setattr__(self, "variable", self.variable or PREFIX + self.name.upper())
        object.__setattr__(self, "flag", self.flag or "--" + self.name.replace("_", "-"))


class Chosen(NamedTuple):
    """What an option is set to, and where that was written."""

    option: Option
    value: Any
    source: str

    @property
    def shown(self) -> str:
        """The value for people."""
        if self.value is None:
            return "none" if self.option.kind.what.find("forever") < 0 else "forever"
        return MASK if self.option.secret else self.option.kind.show(self.value)


class Places(NamedTuple):
    """Where things are set. ``file`` is what the file at ``path`` holds."""

    flags: Mapping[str, Any]
    environment: Mapping[str, str]
    file: Mapping[str, Any]
    path: str = "the file"


def choose(
    options: Sequence[Option], places: Places, others: Sequence[Option] = ()
) -> dict[str, Chosen]:
    """Give what each option is set to, by name; SettingInvalid has a line for each mistake.

    ``others`` are options that may be set as well, and are somebody else's to read.
    """
    problems = [
        *_unknown_keys(options, places),
        *_unknown_variables((*options, *others), places.environment),
    ]
    chosen = {}
    for option in options:
        raw, source = _find(option, places)
        try:
            value = option.default if source == "default" else option.kind.read(raw)
        except ValueError:
            problems.append(_mistake(option, raw, source))
            continue
        chosen[option.name] = Chosen(option, value, source)
    if problems:
        raise SettingInvalid("\n".join(problems))
    return chosen


def _find(option: Option, places: Places) -> tuple[Any, str]:
    if places.flags.get(option.name) is not None:
        return places.flags[option.name], f"flag {option.flag}"
    # An empty variable is how a container's template leaves a thing out.
    if places.environment.get(option.variable, "").strip():
        return places.environment[option.variable].strip(), f"environment {option.variable}"
    if option.name in places.file:
        return places.file[option.name], f"file {places.path}"
    return None, "default"


def _mistake(option: Option, raw: Any, source: str) -> str:
    shown = MASK if option.secret else raw
    place, _, name = source.partition(" ")
    where = f"'{option.name}' in {name}" if place == "file" else name
    return f"{where} is '{shown}', which is not {option.kind.what}. Set it to one, or leave it out."


def _unknown_keys(options: Sequence[Option], places: Places) -> Iterator[str]:
    known = [option.name for option in options]
    for key in places.file:
        if key not in known:
            yield f"{places.path}: '{key}' is unknown.{_suggest(key, known)}"


def _unknown_variables(options: Sequence[Option], environment: Mapping[str, str]) -> Iterator[str]:
    """Name variables that were surely meant to be settings. Programs may have others of theirs."""
    known = [option.variable for option in options]
    for name in environment:
        if name.startswith(PREFIX) and name not in known and name not in OTHERS:
            suggestion = _suggest(name, known)
            if suggestion:
                yield f"the variable {name} is unknown.{suggestion}"


def _suggest(name: str, known: Collection[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, 1, 0.75)
    return f" Did you mean '{near[0]}'?" if near else ""
