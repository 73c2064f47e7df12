"""What may stand in leoflow.yaml, and what each value may be.

Pure models: reading the file and pointing at its lines is ``project``'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from leoflow_builder.dependencyname import READABLE, kind_of
from leoflow_builder.identifier import ID_LENGTH, ID_PATTERN, check_id
from leoflow_builder.option import STAGING, Staging, Strict, TaskOption
from leoflow_builder.said import DEFAULT_PYTHON, OWN_IMAGE_KEYS

PYTHON_VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
_IN_KUBERNETES = "what a Pod is to have is written under 'kubernetes'"
FOREIGN_KEYS = {
    "schedule": "it is the DAG's: write it in @dag(schedule=…) or in dag.yaml",
    "dagrun_timeout": "it is called 'dagrun_timeout_seconds' here, a number of seconds",
    "max_retry_delay": "it is called 'max_retry_delay_seconds' here, a number of seconds",
    "on_success_callback": "it is called 'on_success_webhooks' here, a list of URLs",
    "on_failure_callback": "it is called 'on_failure_webhooks' here, a list of URLs",
    "requirements": "it is called 'dependencies' here; for a file, write dependencies_from",
    "requirements_file": "it is called 'dependencies_from' here",
    "packages": "Python's are called 'dependencies' here, Debian's 'system_packages'",
    "env": "it is called 'environment' here",
    "python": "it is called 'python_version' here",
    "default_args": "it is called 'defaults' here",
    "retry_delay": "it is called 'retry_delay_seconds' here, a number of seconds",
    "execution_timeout": "it is called 'execution_timeout_seconds' here, a number of seconds",
    "pool": "there are no pools: each try has its own container; remove it",
    "queue": "there are no queues: each try has its own container; remove it",
    "gpu": "write it as nodes announce it, such as nvidia.com/gpu",
    "executor_config": "what a Pod is to have is written under 'kubernetes' here, field by field",
    **dict.fromkeys(("pod_override", "pod_template_file", "node_selector"), _IN_KUBERNETES),
    **dict.fromkeys(("nodeSelector", "tolerations", "affinity", "volumes"), _IN_KUBERNETES),
    **dict.fromkeys(("volume_mounts", "service_account_name", "env_from"), _IN_KUBERNETES),
}


def _check_python_version(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError("is a number to YAML, in which 3.10 is 3.1: write it in quotes")
    if value not in PYTHON_VERSIONS:
        known = ", ".join(PYTHON_VERSIONS)
        raise ValueError(f"'{value}' is none that leoflow knows. Write one of {known}, in quotes")
    return str(value)


def check_requirement(text: str) -> str:
    """Return ``text`` if it is a requirement that leoflow can honour, else raise ValueError."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        reason = " ".join(str(error).split("\n")[0].split())
        raise ValueError(
            f"'{text}' is no requirement: {reason}. Write for example pandas>=2.2"
        ) from None
    if requirement.url:
        raise ValueError(
            f"'{text}' names a URL; write name and version, wheels come from your index"
        )
    if canonicalize_name(requirement.name) == "leoflow":
        raise ValueError("'leoflow' is in every image already: remove it")
    return text


def _check_dependency_file(name: str, info: ValidationInfo) -> str:
    """Refuse what no reader is there for; that the file is there is checked when it is read."""
    if info.data.get("dependencies"):
        raise ValueError("there is a list of dependencies as well: keep one of the two")
    if Path(name).is_absolute():
        raise ValueError(f"'{name}' is a path of this machine: write it from the project folder")
    if kind_of(name) is None:
        raise ValueError(f"'{name}' is none that leoflow reads. {READABLE}")
    return name


def _check_system_package(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", name):
        raise ValueError(
            f"'{name}' is no name of a Debian package. Write the name alone, such as libpq5; "
            "the version is kept in leoflow.lock"
        )
    return name


def _check_variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"'{name}' cannot be the name of an environment variable")
    if name.startswith("LEOFLOW_"):
        raise ValueError("names with LEOFLOW_ are leoflow's own: choose another one")
    if name.startswith("AIRFLOW_CONN_"):
        connection = name.removeprefix("AIRFLOW_CONN_").lower()
        raise ValueError(
            f"'{name}' would be a secret in the image: declare connections: [{connection}] for the "
            "tasks that need it, and set the variable where leoflow runs"
        )
    return name


def _check_text(value: object) -> str:
    if isinstance(value, bool):
        raise ValueError(f"YAML reads this as {str(value).lower()}: write it in quotes")
    if not isinstance(value, (str, int, float)):
        raise ValueError('has to be text: write it in quotes, "" if it is to be empty')
    if "\0" in str(value):
        raise ValueError("an environment variable cannot hold a NUL character")
    return str(value)


def _check_entry(text: str) -> str:
    if "/" in text or "\\" in text or not text.endswith((".py", ".yaml", ".yml")):
        raise ValueError(f"'{text}' has to be a .py or .yaml file directly in the project folder")
    return text


def _check_only(key: str, info: ValidationInfo) -> None:
    others = [one for one in OWN_IMAGE_KEYS if one != key and info.data.get(one) is not None]
    if others:
        raise ValueError(f"there is '{others[0]}' as well: keep one of the two")


def _check_dockerfile(name: str, info: ValidationInfo) -> str:
    _check_only("dockerfile", info)
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts:
        raise ValueError(f"'{name}' is not in the project: write its path from the project folder")
    return name


def _check_image(name: str, info: ValidationInfo) -> str:
    _check_only("image", info)
    for one in ("dependencies", "dependencies_from"):
        if info.data.get(one):
            raise ValueError(
                "a ready image brings its packages, and nothing is installed into it. Remove "
                f"'{one}', or call the image 'base_image'"
            )
    return name


Identifier = Annotated[
    str,
    AfterValidator(check_id),
    Field(json_schema_extra={"pattern": ID_PATTERN, "maxLength": ID_LENGTH}),
]
PythonVersion = Annotated[
    str,
    BeforeValidator(_check_python_version),
    WithJsonSchema({"type": "string", "enum": list(PYTHON_VERSIONS), "default": DEFAULT_PYTHON}),
]
ImageName = Annotated[str, Field(min_length=1)]
_SCALAR_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "number"}]}
EnvironmentText = Annotated[str, BeforeValidator(_check_text), WithJsonSchema(_SCALAR_SCHEMA)]


_Positive = Annotated[float, Field(gt=0)]


class Budget(Strict):
    """What the start of a task may cost; `leoflow build --check-budget` keeps to it."""

    compressed_mb: _Positive | None = Field(
        default=None, description="Megabytes (10^6 bytes) of the image as a registry keeps it"
    )
    import_ms: _Positive | None = Field(
        default=None, description="Milliseconds to import a task's module; median of several runs"
    )
    user_code_ms: _Positive | None = Field(
        default=None,
        description="Milliseconds from the container's start to the first line of user code",
    )


class Settings(Strict):
    """leoflow.yaml: everything about a project that is not its DAG. Every key is optional."""

    dag_id: Identifier | None = Field(default=None, description="Needed only if the DAG has none")
    python_version: PythonVersion = DEFAULT_PYTHON
    entry: Annotated[str, AfterValidator(_check_entry)] | None = Field(
        default=None, description="The file with the DAG; dag.py or dag.yaml where not given"
    )
    dependencies: list[Annotated[str, AfterValidator(check_requirement)]] = Field(
        default_factory=list, description="Requirements as pip writes them (PEP 508)"
    )
    dependencies_from: Annotated[str, AfterValidator(_check_dependency_file)] | None = Field(
        default=None,
        description="A file that has them instead: requirements.txt, pylock.toml, uv.lock, "
        "pyproject.toml or pyproject.toml[extra]",
    )
    system_packages: list[Annotated[str, AfterValidator(_check_system_package)]] = Field(
        default_factory=list, description="Names of Debian packages that the code needs"
    )
    environment: Mapping[Annotated[str, AfterValidator(_check_variable)], EnvironmentText] = Field(
        default_factory=dict
    )
    base_image: ImageName | None = Field(
        default=None,
        description="An image with a CPython to build on: a reference, a folder or an archive",
    )
    dockerfile: Annotated[ImageName, AfterValidator(_check_dockerfile)] | None = Field(
        default=None, description="A Dockerfile in the project, whose image is built on"
    )
    image: Annotated[ImageName, AfterValidator(_check_image)] | None = Field(
        default=None,
        description="A ready image: used as it is if leoflow built it, else given the agent and "
        "the DAG",
    )
    staging: Staging | None = Field(default=None, description=STAGING)
    allow_secret_files: list[str] = Field(
        default_factory=list,
        description="Paths in the project that may go into the image although they look secret",
    )
    budget: Budget = Budget()
    defaults: TaskOption = TaskOption()
    tasks: Mapping[str, TaskOption] = Field(
        default_factory=dict, description="Per task_id; stronger than what the DAG says"
    )
