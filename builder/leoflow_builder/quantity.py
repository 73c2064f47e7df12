"""Kubernetes quantities as whole numbers: CPU in thousandths of a core, memory in bytes.

Pure. The notation is that of the Kubernetes API ("Resource Management", quantities).
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

_DECIMAL = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(m|[kMGTPE]i?|Ki|[eE][+-]?\d+)?", re.ASCII)
_FACTORS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}
_MAX = 2**63 - 1


def parse_cpu_millis(text: str | int | float) -> int:
    """Return thousandths of a core for "250m", "0.5" or 1; ValueError says what is wrong.

    Rounded up to a whole thousandth, as Kubernetes does.
    """
    return _whole(_amount(text, "cpu: 250m, cpu: 0.5 or cpu: 2") * 1000, text)


def parse_memory_bytes(text: str | int | float) -> int:
    """Return bytes for "256Mi", "1G" or a plain number; ValueError says what is wrong."""
    example = "memory: 256Mi, memory: 1G or a number of bytes"
    if isinstance(text, str) and text.strip().endswith("m"):
        raise ValueError(f"'{text}' is thousandths of a byte; for mebibytes write {text[:-1]}Mi")
    return _whole(_amount(text, example), text)


def _amount(text: str | int | float, example: str) -> Decimal:
    if isinstance(text, bool):
        raise ValueError(f"{text} is not a quantity; write for example {example}")
    written = str(text).strip()
    match = _DECIMAL.fullmatch(written)
    if match is None or match[2] == "ki":
        raise ValueError(f"'{text}' is not a quantity; write for example {example}")
    suffix = match[2] or ""
    if suffix in _FACTORS:
        return Decimal(match[1]) * _FACTORS[suffix]
    if len(suffix) > 4:
        raise ValueError(f"'{text}' is out of range")
    return Decimal(match[1]).scaleb(int(suffix[1:]))


def _whole(amount: Decimal, text: object) -> int:
    if amount <= 0:
        raise ValueError(f"'{text}' has to be more than zero")
    if amount > _MAX:
        raise ValueError(f"'{text}' is out of range")
    return int(amount.to_integral_value(rounding=ROUND_CEILING))


def format_cpu(millis: int) -> str:
    """Return a CPU amount as people write it: 250m, or 2 for whole cores."""
    return str(millis // 1000) if millis % 1000 == 0 else f"{millis}m"


def format_memory(size_bytes: int) -> str:
    """Return an amount of memory in the largest binary unit that is exact."""
    for power, suffix in reversed(list(enumerate("KMGTPE", start=1))):
        if size_bytes % 1024**power == 0:
            return f"{size_bytes // 1024**power}{suffix}i"
    return str(size_bytes)
