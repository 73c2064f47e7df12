"""The pages of docs/ are found by who reads, and name the packages that there are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from leoflow_cli.main import SUBCOMMANDS
from leoflow_controlplane.serveroption import SERVER_OPTIONS

ROOT = Path(__file__).parents[2]
FRONT = ROOT / "README.md"
CONTROL_PLANE = ROOT / "controlplane" / "leoflow_controlplane"


def _pages_linked_from(page: Path) -> set[Path]:
    links = re.findall(r"\]\(([^)\s#]+\.md)[^)]*\)", page.read_text())
    return {(page.parent / link).resolve() for link in links if "://" not in link}


def test_every_page_is_reached_from_the_readme():
    """Following links from page to page: two that link each other alone would be lost."""
    reached, left = {FRONT}, [FRONT]
    while left:
        found = _pages_linked_from(left.pop()) - reached
        reached |= found
        left += [page for page in found if page.exists()]
    pages = set((ROOT / "docs").glob("*.md"))
    assert len(pages) > 20
    assert sorted(page.name for page in pages - reached) == []


def test_the_architecture_names_every_package_of_the_control_plane():
    assert sorted(_packages_of_the_page()) == sorted(
        path.parent.name for path in CONTROL_PLANE.glob("*/__init__.py")
    )


def test_the_architecture_has_the_packages_in_the_order_that_is_checked():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if "containers" in one)
    assert _packages_of_the_page() == [name for layer in layers for name in layer.split(" : ")]


def _packages_of_the_page() -> list[str]:
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = page.split("### The packages\n", 1)[1].split("\n#", 1)[0]
    return re.findall(r"^\| `(\w+)` \|", section, flags=re.M)


def test_every_decision_that_is_named_is_there():
    """In pages, code and files of clusters alike: a number that moved leads nowhere."""
    decisions = {path.name[:4] for path in (ROOT / "docs" / "adr").glob("*.md")}
    folders = ("agent", "builder", "cli", "controlplane", "base-images", "deploy", "docs", "tests")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    text = [path for path in files if path.suffix in (".md", ".py", ".pyi", ".yaml", ".json")]
    named = {
        (number, path.relative_to(ROOT).as_posix())
        for path in text
        for number in re.findall(r"\badr/(\d{4})\b", path.read_text())
    }
    assert named
    assert sorted(one for one in named if one[0] not in decisions) == []


def test_the_readme_names_every_command():
    section = FRONT.read_text().split("## Commands\n", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"`leoflow ([\w-]+)", section)) == set(SUBCOMMANDS)


def test_every_setting_that_only_a_server_has_is_explained():
    page = (ROOT / "docs" / "server.md").read_text()
    cells = "\n".join(row.split("|")[1] for row in page.splitlines() if row.startswith("| "))
    assert [option.name for option in SERVER_OPTIONS if f"`{option.name}`" not in cells] == []
