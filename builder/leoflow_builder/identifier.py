"""What a dag_id or task_id may be: Airflow's rule. Pure."""

from __future__ import annotations

import re

ID_PATTERN = r"^[A-Za-z0-9_.\-]+$"
ID_LENGTH = 250
# Of a variable or connection that a task declares: it becomes part of an environment variable's.
SECRET_PATTERN = r"[A-Za-z0-9_]{1,200}"


def check_id(text: str) -> str:
    """Return ``text`` if it may be a dag_id or task_id (Airflow's rule), else raise ValueError."""
    if not re.fullmatch(ID_PATTERN, text):
        raise ValueError(f"'{text}' may hold only letters, digits, '-', '_' and '.'")
    if len(text) > ID_LENGTH:
        raise ValueError(f"'{text[:40]}…' has {len(text)} characters, at most {ID_LENGTH} may be")
    return text
