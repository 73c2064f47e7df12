"""How large installed packages are."""

from __future__ import annotations

from pathlib import Path

from leoflow_builder.packagesize import PackageSize, package_sizes


def install(site: Path, name: str, files: dict[str, int]) -> None:
    record = site / f"{name}-1.0.dist-info" / "RECORD"
    record.parent.mkdir(parents=True)
    for path, size in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(b"x" * size)
    record.write_text("".join(f"{path},sha256=x,{size}\n" for path, size in files.items()))


def test_the_largest_comes_first_and_bytecode_belongs_to_its_source(tmp_path: Path) -> None:
    install(tmp_path, "small", {"small.py": 10})
    install(tmp_path, "two_words", {"two_words/__init__.py": 50, "two_words/a.so": 50})
    for folder, module in ((".", "small"), ("two_words", "__init__")):
        cached = tmp_path / folder / "__pycache__" / f"{module}.cpython-311.pyc"
        cached.parent.mkdir()
        cached.write_bytes(b"x" * 7)
    (tmp_path / "of-nobody").write_bytes(b"x" * 1000)
    assert package_sizes(tmp_path) == [PackageSize("two_words", 107), PackageSize("small", 17)]


def test_there_may_be_none(tmp_path: Path) -> None:
    assert package_sizes(tmp_path) == []
