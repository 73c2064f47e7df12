"""Where dependencies may be written, and what of it is refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_builder.dependencyfile import Dependencies, read_dependencies, unused_file
from leoflow_builder.lock import LockedPackage
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import InvalidProject, Project, load_project
from leoflow_builder.requirementsfile import logical_lines
from leoflow_builder.target import Target

TARGET = Target("3.11.2", "2.36", "amd64")


def project(folder: Path, source: str | None, **files: str) -> Project:
    (folder / "dag.py").touch()
    text = f"dependencies_from: {source}\n" if source else ""
    (folder / "leoflow.yaml").write_text(f"dag_id: x\n{text}")
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return load_project(folder)


def read(folder: Path, source: str, **files: str) -> Dependencies:
    return read_dependencies(project(folder, source, **files))


def problems(folder: Path, source: str, **files: str) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        read(folder, source, **files)
    return [str(one) for one in caught.value.problems]


def test_logical_lines_are_joined_and_comments_left_out() -> None:
    text = "# top\na==1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb  # why\n\nb # c\nd#e\n"
    assert list(logical_lines(text)) == [
        (2, "a==1 --hash=sha256:aa --hash=sha256:bb"),
        (6, "b"),
        (7, "d#e"),
    ]


def test_requirements_with_all_that_can_be_honoured(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "requirements.txt",
        requirements_txt="--only-binary :all:\npandas>=2 \\\n  --hash=sha256:AA\n-r sub/more.txt\n",
        sub__more_txt="six ; python_version < '4'\n-c limits.txt\n",
        sub__limits_txt="numpy<3\n",
    )
    assert found.requirements == ("pandas>=2", "six ; python_version < '4'")
    assert found.constraints == ("numpy<3",)
    assert found.hashes == {"pandas": frozenset({"aa"})}
    assert found.problem("x", "six").file == "sub/more.txt"


def test_a_comment_is_no_change_and_a_constraint_is_one(tmp_path: Path) -> None:
    def digest(text: str, limits: str) -> str:
        found = read(tmp_path, "requirements.txt", requirements_txt=text, limits_txt=limits)
        assert found.source is not None
        return found.source.sha256

    first = digest("a\n-c limits.txt\n", "b<1\n")
    assert digest("# new\na  # why\n-c limits.txt\n", "b<1") == first
    assert digest("a\n-c limits.txt\n", "b<2\n") != first


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-e .", "'-e' cannot be honoured: leoflow installs wheels only"),
        ("--editable=.", "'--editable' cannot be honoured"),
        ("-i https://x/simple", "'-i' cannot be honoured: indexes come from pip's own settings"),
        ("--extra-index-url https://x", "'--extra-index-url' cannot be honoured"),
        ("--find-links=/x", "'--find-links' cannot be honoured"),
        ("--new-option", "leoflow does not know this option"),
        ("a==1 --config-settings=x=y", "'--config-settings' cannot be honoured"),
        ("a==1 --hash=md5:aa", "a hash by 'md5' is not enough"),
        ("./local.whl", "is no requirement"),
        ("a @ https://x/a.whl", "names a URL"),
        ("-r https://x/more.txt", "from the network"),
        ("-r requirements.txt", "includes itself"),
        ("-r missing.txt", "cannot be read"),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_file_and_line(
    tmp_path: Path, line: str, words: str
) -> None:
    found = problems(tmp_path, "requirements.txt", requirements_txt=f"six\n\n{line}\n")
    assert len(found) == 1
    assert words in found[0]
    assert found[0].startswith(("requirements.txt:3: ", "missing.txt: "))


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, "requirements.txt", requirements_txt="-e .\n>=2\n-i x\n")) == 3


PYPROJECT = """[project]
name = "x"
dependencies = [
    "pandas>=2",
]
[project.optional-dependencies]
plot = ["matplotlib"]
"""


def test_pyproject_gives_its_dependencies_and_named_extras(tmp_path: Path) -> None:
    found = read(tmp_path, "pyproject.toml[plot]", pyproject_toml=PYPROJECT)
    assert found.requirements == ("pandas>=2", "matplotlib")
    assert found.problem("x", "pandas").line == 4


@pytest.mark.parametrize(
    ("source", "text", "words"),
    [
        ("pyproject.toml[plto]", PYPROJECT, "no extra 'plto'. Did you mean 'plot'"),
        ("pyproject.toml", "[project]\ndynamic = ['dependencies']\n", "pyproject.toml:2: its dep"),
        ("pyproject.toml", "[project]\ndependencies = 'a'\n", "has to be a list"),
        ("pyproject.toml", "[project\n", "is not TOML"),
        ("pyproject.toml", "[project]\ndependencies = ['>=1']\n", "pyproject.toml:2: '>=1' is no"),
    ],
)
def test_a_pyproject_that_does_not_tell_them(
    tmp_path: Path, source: str, text: str, words: str
) -> None:
    assert words in problems(tmp_path, source, pyproject_toml=text)[0]


PYLOCK = """lock-version = "1.0"
created-by = "test"
[[packages]]
name = "six"
version = "1.17.0"
wheels = [
  {{ url = "https://h/six-1.17.0-py3-none-any.whl", hashes = {{ sha256 = "{0}" }} }},
]
[[packages]]
name = "winonly"
version = "1"
marker = "sys_platform == 'win32'"
wheels = [{{ url = "https://h/winonly-1-py3-none-any.whl", hashes = {{ sha256 = "{0}" }} }}]
""".format("a" * 64)


def test_pylock_gives_exact_wheels_for_the_target(tmp_path: Path) -> None:
    found = read(tmp_path, "pylock.toml", pylock_toml=PYLOCK)
    assert found.fixed is not None
    wheel = LockedPackage("six", "1.17.0", "six-1.17.0-py3-none-any.whl", "a" * 64)
    assert list(found.fixed(TARGET)) == [wheel]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("six-1.17.0-py3-none-any", "six-1.17.0-cp311-cp311-win_amd64", "nothing to install for"),
        ('lock-version = "1.0"', 'lock-version = "9.0"', "of a version that leoflow does not know"),
        ("sha256 =", "md5 =", "no hash by sha256"),
        ("[[packages]]", "[packages]", "is no"),
        ("wheels = [\n", "wheels = [[\n", "is not TOML"),
    ],
)
def test_a_pylock_that_gives_none_is_told(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    found = read(tmp_path, "pylock.toml", pylock_toml=PYLOCK.replace(before, after))
    assert found.fixed is not None
    with pytest.raises(ProjectError) as caught:
        found.fixed(TARGET)
    assert str(caught.value).startswith("pylock.toml: ")
    assert words in str(caught.value)


UVLOCK = """version = 1
revision = 2
requires-python = ">=3.11"

[[package]]
name = "six"
version = "1.17.0"
source = {{ registry = "https://pypi.org/simple" }}
wheels = [
    {{ url = "https://h/six-1.17.0-py2.py3-none-any.whl", hash = "sha256:{}", size = 1 }},
]

[[package]]
name = "x"
version = "0"
source = {{ virtual = "." }}
dependencies = [{{ name = "six" }}]

[package.metadata]
requires-dist = [{{ name = "six" }}]
""".format("b" * 64)


def test_uv_lock_gives_exact_wheels(tmp_path: Path) -> None:
    pyproject = '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.11"\n'
    pyproject += 'dependencies = ["six"]\n'
    found = read(tmp_path, "uv.lock", uv_lock=UVLOCK, pyproject_toml=pyproject)
    assert found.fixed is not None
    wheel = LockedPackage("six", "1.17.0", "six-1.17.0-py2.py3-none-any.whl", "b" * 64)
    assert list(found.fixed(TARGET)) == [wheel]


def test_a_file_that_is_not_there_is_told_at_its_line(tmp_path: Path) -> None:
    [found] = problems(tmp_path, "requirements.txt")
    assert found.startswith("leoflow.yaml:2:")
    assert "'requirements.txt' is not there" in found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dependencies: [six]\ndependencies_from: uv.lock\n", "keep one of the two"),
        ("dependencies_from: Pipfile\n", "'Pipfile' is none that leoflow reads"),
        ("dependencies_from: /x/requirements.txt\n", "is a path of this machine"),
    ],
)
def test_what_the_key_may_be(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "dag.py").touch()
    (tmp_path / "leoflow.yaml").write_text(text)
    with pytest.raises(InvalidProject, match=words):
        load_project(tmp_path)


def test_a_file_that_is_not_used_is_told(tmp_path: Path) -> None:
    found = unused_file(project(tmp_path, None, requirements_txt="six\n"))
    assert found is not None
    assert "requirements.txt is not used: write `dependencies_from: requirements.txt`" in found


def test_a_pyproject_with_settings_of_tools_only_is_none(tmp_path: Path) -> None:
    assert unused_file(project(tmp_path, None, pyproject_toml="[tool.ruff]\n")) is None
    assert unused_file(project(tmp_path, "requirements.txt", requirements_txt="")) is None
