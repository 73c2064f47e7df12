"""Which errors are the database's own doing, and how they are told. A step's mistake is not one."""

from __future__ import annotations

from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from leoflow_controlplane.error import DatabaseUnusable

# Classes of SQLSTATE: connection, read-only transaction, resources, operator, system, internal.
_FAULTS = ("08", "25006", "53", "57", "58", "XX")
# SQLite's texts of SQLITE_CORRUPT and SQLITE_NOTADB.
_DAMAGE = ("database disk image is malformed", "file is not a database")


class Displaced(Exception):
    """What was written is not where others will look for it."""


class TransactionGone(Exception):
    """The database ended a transaction by itself."""


class ConnectionGone(Exception):
    """The connection broke, and SQLAlchemy would open another one: without what this one held."""


def is_fault(error: BaseException) -> bool:
    """Say whether no other step would have fared better."""
    if isinstance(error, ConnectionGone | Displaced | OperationalError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_FAULTS)
    # SQLite says so of a file that is damaged, and has no finer word for it.
    return type(error) is DatabaseError


def describe(error: BaseException) -> str:
    """Say in one line what is wrong, without statements, values or passwords."""
    text = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")


def unusable(name: str, error: BaseException, advice: str) -> DatabaseUnusable:
    """Make the error that callers get."""
    reason = describe(error)
    if _is_damage(error, reason):
        advice = "Put a backup in its place, or set LEOFLOW_HOME to another folder."
    return DatabaseUnusable(f"{name} cannot be used as the database: {reason}. {advice}")


def _is_damage(error: BaseException, reason: str) -> bool:
    """Tell whether a file's contents are wrong, which no disk and no permission mends."""
    return type(error) is DatabaseError and reason in _DAMAGE
