"""The home folder and the variables that a Python of an image is started with for one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def plain_environment(home: Path) -> dict[str, str]:
    """Return the variables that every call has; nothing of the host's is among them."""
    return {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUSERBASE": str(home),
        "TZ": "UTC",
    }


def write_user_site(home: Path, python_minor: str, path: Sequence[Path]) -> None:
    """Make folders of packages visible, which come after the standard library as on a site path."""
    if not path:
        return
    site = home / "lib" / f"python{python_minor}" / "site-packages"
    site.mkdir(parents=True)
    lines = [f"import site; site.addsitedir({str(entry.absolute())!r})\n" for entry in path]
    (site / "leoflow.pth").write_text("".join(lines), encoding="utf-8")
