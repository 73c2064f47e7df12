"""What the README and the pages in docs/ show is true: commands, output, DAGs, links, tables."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from leoflow_agent import exitcode
from leoflow_builder.settings import Settings
from leoflow_cli.main import cli
from leoflow_controlplane.setting import Settings as Limits

ROOT = Path(__file__).parents[2]
LEOFLOW = Path(sys.executable).with_name("leoflow")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EVERY_PAGE = [*PAGES, *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING"))]
EVERY_PAGE += sorted((ROOT / "docs" / "adr").glob("*.md"))
WITHOUT_ENGINE = {"validating.md"}
# Their commands ask a control plane that runs meanwhile.
WITH_SERVER = {"README.md", "getting-started.md", "triggering.md"}

_COMMAND = re.compile(r"\$ ((?:[A-Z_]+=\S+ )*)leoflow (.*)")
_EXIT_CODE = re.compile(r"# exit code (\d+)")
_EXACT = re.compile(r"\s*(\S+ returned |\S+\.(py|yaml):\d)")
_CHANGING = (
    (re.compile(r"manual__[^\s\"]+"), "RUN_ID"),
    (re.compile(r":[0-9a-f]{12}\b"), ":KEY"),
    (re.compile(r"\b(new|reused)\b"), "HOW"),
    (re.compile(r"\d+(\.\d+)?"), "0"),
)
RESOURCES = "defaults:\n  resources:\n    requests: {cpu: 100m, memory: 64Mi}\n"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; ``line`` is that of its fence."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


@dataclass
class Command:
    """A command that a page shows, with what it is said to print and to exit with."""

    place: str
    variables: dict[str, str]
    arguments: list[str]
    shown: list[str]
    exit_code: int = 0


def blocks(page: Path, *languages: str) -> list[Block]:
    found: list[Block] = []
    lines: list[str] | None = None
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        if not line.startswith("```"):
            if lines is not None:
                lines.append(line)
        elif lines is None:
            lines, opened, language = [], number, line[3:].strip()
        else:
            found.append(Block(page, opened, language, "\n".join(lines) + "\n"))
            lines = None
    assert lines is None, f"{page.name}: a block is not closed"
    return [block for block in found if block.language in languages]


def commands(block: Block) -> list[Command]:
    found: list[Command] = []
    current: Command | None = None
    for number, line in enumerate(block.text.splitlines(), start=block.line + 1):
        if line.startswith("$ "):
            match = _COMMAND.fullmatch(line)
            current = None
            if match:
                variables = dict(item.split("=", 1) for item in match[1].split())
                place = f"{block.page.name}:{number}: {line}"
                current = Command(place, variables, shlex.split(match[2]), [])
                found.append(current)
        elif current is not None and (code := _EXIT_CODE.fullmatch(line)):
            current.exit_code = int(code[1])
        elif current is not None and line.strip() not in ("", "…"):
            current.shown.append(line)
    return found


def comparable(line: str) -> str:
    """Leave out what differs from run to run: times, sizes, ids, and what was in the cache."""
    line = " ".join(line.split())
    if _EXACT.match(line):
        return line
    for pattern, instead in _CHANGING:
        line = pattern.sub(instead, line)
    return line


def _pages_with_commands() -> list[object]:
    return [
        pytest.param(page, marks=() if page.name in WITHOUT_ENGINE else pytest.mark.engine)
        for page in PAGES
        if any(commands(block) for block in blocks(page, "console"))
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all that a reader of a checkout has and that a page may name."""
    ignored = shutil.ignore_patterns("__pycache__", "dag.json")
    for name in ("examples", "tests/broken"):
        shutil.copytree(ROOT / name, tmp_path / "checkout" / name, ignore=ignored)
    return tmp_path / "checkout"


@pytest.mark.parametrize("page", _pages_with_commands(), ids=lambda page: page.name)
def test_commands_print_what_the_page_shows(leoflow, folder, page, request):
    if page.name in WITH_SERVER:
        request.getfixturevalue("server")
    for block in blocks(page, "console"):
        for command in commands(block):
            ended = subprocess.run(
                [LEOFLOW, *command.arguments],
                cwd=folder,
                env={**leoflow.environment, **command.variables},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=300,
            )
            printed = ended.stderr + ended.stdout
            assert ended.returncode == command.exit_code, f"{command.place}\n{printed}"
            real = {comparable(line) for line in printed.splitlines()}
            missing = [line for line in command.shown if comparable(line) not in real]
            assert not missing, f"{command.place} prints no {missing}\n{printed}"


def _marked(language: str, *marks: str) -> list[Block]:
    first = tuple(f"# {mark}\n" for mark in marks)
    found = [block for page in PAGES for block in blocks(page, language)]
    return [block for block in found if block.text.startswith(first)]


@pytest.mark.parametrize("block", _marked("python", "dag.py"), ids=str)
def test_dags_are_valid(home, tmp_path, block):
    _write(tmp_path / "project", {"dag.py": block.text, "leoflow.yaml": RESOURCES})
    _validate(home, tmp_path / "project", block)


@pytest.mark.parametrize("block", _marked("yaml", "dag.yaml"), ids=str)
def test_dags_in_yaml_are_valid(home, tmp_path, block):
    tasks = yaml.safe_load(block.text)["tasks"].values()
    called = [task["python"].split(":") for task in tasks if "python" in task]
    files = {"dag.yaml": block.text, "leoflow.yaml": RESOURCES}
    for module, function in called:
        name = f"{module}.py"
        files[name] = files.get(name, "") + f"def {function}(*args, **kwargs): ...\n"
    _write(tmp_path / "project", files)
    _validate(home, tmp_path / "project", block)


@pytest.mark.parametrize("block", _marked("yaml", "leoflow.yaml"), ids=str)
def test_settings_are_valid(home, tmp_path, block):
    overridden = yaml.safe_load(block.text).get("tasks", {})
    options = 'resources={"requests": {"cpu": "100m", "memory": "64Mi"}}'
    lines = ["from leoflow import dag, task", "@dag", "def project():"]
    for task_id in [*overridden, "step"]:
        lines[1:1] = [f"@task({options})", f"def {task_id}(): ..."]
        lines.append(f"    {task_id}()")
    files = {"dag.py": "\n".join([*lines, "project()\n"]), "leoflow.yaml": block.text}
    _write(tmp_path / "project", files)
    _validate(home, tmp_path / "project", block)


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)


def _validate(home: Path, folder: Path, block: Block) -> None:
    """Call the command in this process: its start takes longer than what it does."""
    ended = CliRunner(env={"LEOFLOW_HOME": str(home)}).invoke(cli, ["validate", str(folder)])
    assert ended.exit_code == 0, f"{block}\n{ended.output}"


def test_python_and_yaml_blocks_say_which_file_they_are():
    """A block without the mark would be checked by nobody."""
    unmarked = {
        str(block)
        for page in PAGES
        for block in blocks(page, "python", "yaml")
        if not re.match(r"# (dag\.py|dag\.yaml|leoflow\.yaml)\n", block.text)
    }
    assert unmarked == set()


def _prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", _prose(page), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} links to '{link}'"
        if anchor:
            assert anchor in _anchors(target), f"{page.name} links to '{link}'"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_exist(name):
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.M))
    named = set(re.findall(r"(?:`|^\$ )make ([a-z][a-z-]*)", (ROOT / name).read_text(), flags=re.M))
    assert named
    assert named <= targets


def _first_cells(page: str) -> str:
    rows = (ROOT / "docs" / page).read_text().splitlines()
    return "\n".join(row.split("|")[1] for row in rows if row.startswith("| "))


def test_every_reserved_exit_code_of_a_task_is_explained():
    codes = {
        value
        for name, value in vars(exitcode).items()
        if name.isupper() and isinstance(value, int) and name != "SIGNAL_BASE"
    }
    explained = {int(cell) for cell in re.findall(r"^ (\d+) $", _first_cells("running.md"), re.M)}
    assert codes <= explained
    assert "128 + n" in _first_cells("running.md")


def test_every_key_of_leoflow_yaml_is_explained():
    cells = _first_cells("leoflow-yaml.md")
    assert [key for key in Settings.model_fields if f"`{key}`" not in cells] == []


def test_every_setting_of_the_environment_is_explained():
    sources = [*ROOT.glob("cli/**/*.py"), *ROOT.glob("controlplane/**/setting.py")]
    text = "\n".join(path.read_text() for path in sources)
    names = set(re.findall(r'"(LEOFLOW_[A-Z_]+)"', text))
    inside = {"LEOFLOW_DAG_FOLDER", "LEOFLOW_SITE_FOLDER", "LEOFLOW_SITE_HAS_PTH"}
    cells = _first_cells("running.md")
    assert [name for name in names - inside if f"`{name}`" not in cells] == []


def test_the_defaults_that_the_pages_name_are_the_code_s():
    defaults = {field.name: field.default for field in fields(Limits)}
    running = (ROOT / "docs" / "running.md").read_text()
    assert f"| {defaults['xcom_limit_bytes']} | the longest result" in running
    assert f"| {defaults['inline_http_max_seconds']:g} | seconds that an inline" in running
    assert f"SIGKILL {defaults['grace_seconds']:g} s later" in running
