"""What differs between two images. Pure: it compares what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from leoflow_builder.inspection.document import Config
from leoflow_builder.inspection.insides import PackageView
from leoflow_builder.inspection.layerfiles import LayerFiles
from leoflow_builder.inspection.view import LayerView, SeenImage

Status = Literal["shared", "changed", "added", "removed"]
_NOT_COMPARED = {"created", "diff_ids", "history", "environment", "labels"}


@dataclass(frozen=True)
class FileChange:
    """A file of a layer; sizes are None on the side where there is none."""

    path: str
    status: Status
    before_bytes: int | None
    after_bytes: int | None


@dataclass(frozen=True)
class LayerChange:
    """A layer before and after; a shared one is the same blob, and is pulled once."""

    name: str | None
    status: Status
    before: LayerView | None
    after: LayerView | None
    files: tuple[FileChange, ...] = ()


@dataclass(frozen=True)
class Change:
    """Something with a name whose value differs; None where there is none."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class PackageChange(Change):
    """A package whose version differs; ``origin`` is as in `PackageView`."""

    origin: str


@dataclass(frozen=True)
class Difference:
    """From one image to another."""

    before: str
    after: str
    layers: tuple[LayerChange, ...]
    packages: tuple[PackageChange, ...]
    config: tuple[Change, ...]

    @property
    def new_bytes(self) -> int:
        """What a machine that has the image before has to fetch, compressed."""
        changed = [one.after for one in self.layers if one.status != "shared"]
        return sum(layer.size_bytes for layer in changed if layer is not None)

    def as_json(self) -> dict[str, Any]:
        """Return what `leoflow inspect --against --json` has below "difference"."""
        return {**asdict(self), "new_bytes": self.new_bytes}


def compare(before: SeenImage, after: SeenImage) -> Difference:
    """Return what changed on the way from one image to another."""
    return Difference(
        before=before.view.name,
        after=after.view.name,
        layers=tuple(_layers(before, after)),
        packages=tuple(_packages(before.view.packages, after.view.packages)),
        config=tuple(_config(before.view.config, after.view.config)),
    )


def _layers(before: SeenImage, after: SeenImage) -> Iterable[LayerChange]:
    old, new = before.view.layers, after.view.layers
    for one, other in _pairs(old, new):
        left = before.files[one] if one is not None else None
        right = after.files[other] if other is not None else None
        first = old[one] if one is not None else None
        second = new[other] if other is not None else None
        status = _status(first, second)
        files = () if status == "shared" else tuple(_files(left, right))
        named = second or first
        yield LayerChange(named.name if named else None, status, first, second, files)


def _status(before: LayerView | None, after: LayerView | None) -> Status:
    if before is None or after is None:
        return "added" if before is None else "removed"
    return "shared" if before.digest == after.digest else "changed"


def _pairs(
    old: Sequence[LayerView], new: Sequence[LayerView]
) -> list[tuple[int | None, int | None]]:
    """Pair layers by digest, then by name, then those that have none by their order."""
    left, partner = set(range(len(old))), dict[int, int]()
    for fits in (_same_digest, _same_name):
        for index, layer in enumerate(new):
            free = (one for one in sorted(left) if fits(old[one], layer))
            match = next(free, None) if index not in partner else None
            if match is not None:
                partner[index] = match
                left.discard(match)
    removed = [(one, None) for one in sorted(left)]
    return [*((partner.get(index), index) for index in range(len(new))), *removed]


def _same_digest(one: LayerView, other: LayerView) -> bool:
    return one.digest == other.digest


def _same_name(one: LayerView, other: LayerView) -> bool:
    return one.name == other.name


def _files(before: LayerFiles | None, after: LayerFiles | None) -> Iterable[FileChange]:
    old = before.entries if before else {}
    new = after.entries if after else {}
    for path in sorted(old.keys() | new.keys()):
        one, other = old.get(path), new.get(path)
        if one == other:
            continue
        if one is None or other is None:
            there = one or other
            # A folder comes with what is in it.
            if there is None or there.kind == "folder":
                continue
        status: Status = "added" if one is None else "removed" if other is None else "changed"
        yield FileChange(
            path, status, one.size_bytes if one else None, other.size_bytes if other else None
        )


def _packages(
    before: Iterable[PackageView], after: Iterable[PackageView]
) -> Iterable[PackageChange]:
    old, new = ({(p.origin, p.name): p.version for p in side} for side in (before, after))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield PackageChange(key[1], old.get(key), new.get(key), key[0])


def _config(before: Config, after: Config) -> Iterable[Change]:
    compared = (one.name for one in fields(Config) if one.name not in _NOT_COMPARED)
    old = {name: _text(getattr(before, name)) for name in compared}
    new = {name: _text(getattr(after, name)) for name in old}
    yield from _changes(old, new, "")
    yield from _changes(before.environment, after.environment, "environment ")
    yield from _changes(before.labels, after.labels, "label ")


def _changes(old: Mapping[str, str], new: Mapping[str, str], prefix: str) -> Iterable[Change]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield Change(prefix + name, old.get(name), new.get(name))


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
