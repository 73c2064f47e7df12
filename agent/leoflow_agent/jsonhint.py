"""Where a value stops being JSON, and what to write in its place. Imported once that is so."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BY_TYPE = {
    "generator": "a task returns one value: return a list",
    "async_generator": "a task returns one value: return a list",
    "coroutine": "it was never awaited: await it",
    "Task": "it was never awaited: await it",
    "Future": "it was never awaited: await it",
    "set": "make it a list: sorted(…)",
    "frozenset": "make it a list: sorted(…)",
    "dict_keys": "make it a list: list(…)",
    "dict_values": "make it a list: list(…)",
    "dict_items": "make it a list: list(…)",
    "range": "make it a list: list(…)",
    "bytes": "make it text: .decode(), or write it to a file",
    "bytearray": "make it text: .decode(), or write it to a file",
    "Decimal": "write it as text: str(…), or as float(…) where rounding does no harm",
    "UUID": "write it as text: str(…)",
}
_OTHERWISE = "use numbers, strings, lists and dicts with str keys, or a file and its name"
# The first attribute that the value has, says what it is.
_BY_ATTRIBUTE = (
    ("to_parquet", "write it to a file and return its name, or make it .to_dict()"),
    ("isoformat", "write it as text: .isoformat()"),
    ("total_seconds", "write it as a number of seconds: .total_seconds()"),
    ("tolist", "make it plain Python: .tolist()"),
    ("model_dump", "make it a dict: .model_dump(mode='json')"),
    ("__dataclass_fields__", "make it a dict: dataclasses.asdict(…)"),
    ("__attrs_attrs__", "make it a dict: attrs.asdict(…)"),
    ("__fspath__", "write it as text: str(…)"),
    ("__next__", "make it a list: list(…)"),
)


def first_not_json(value: object, path: str = "result") -> "str | None":
    """Return where in ``value`` something is not JSON, and what to do; None if all of it is."""
    try:
        return _first(value, path)
    except RecursionError:
        return f"{path} is nested without end or too deeply; make it flat, or leave the cycle out"


def _first(value: object, path: str) -> "str | None":
    if value is None or isinstance(value, (str, int, bool)):
        return None
    if isinstance(value, float):
        finite = value - value == 0
        return None if finite else f"{path} is {value}, which JSON does not have; write None"
    if isinstance(value, dict):
        return _first_in_dict(value, path)
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            found = _first(item, f"{path}[{index}]")
            if found:
                return found
        return None
    return f"{path} is of type '{type(value).__name__}'{hint(value)}"


def _first_in_dict(value: "dict[Any, Any]", path: str) -> "str | None":
    for key, item in value.items():
        if key is not None and not isinstance(key, (str, int, float)):
            return f"{path} has a key of type '{type(key).__name__}'; make it text: str(…)"
        found = _first(item, f"{path}[{key!r}]")
        if found:
            return found
    return None


def hint(value: object) -> str:
    """Return what to do with a value of this type, after a semicolon."""
    kind = type(value)
    known = _BY_TYPE.get(kind.__name__)
    if known is None and kind.__module__ == "numpy" and getattr(value, "ndim", 1) == 0:
        known = "make it plain Python: .item()"
    if known is None and any(base.__name__ == "Enum" for base in kind.__mro__):
        known = "write its value: .value"
    for name, text in _BY_ATTRIBUTE:
        if known is None and hasattr(kind, name):
            known = text
    return "; " + (known or _OTHERWISE)
