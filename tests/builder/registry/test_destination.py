"""A registry as a destination: what one of its repositories was sent, others mount."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fake_registry import FakeRegistry
from leoflow_builder.oci.layout import Bundle
from leoflow_builder.registry.destination import RegistryDestination
from leoflow_builder.registry.reference import parse_reference

sys.path.insert(0, str(Path(__file__).parents[1] / "oci"))

from ocisample import make_sample


@pytest.fixture
def push(fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LEOFLOW_INSECURE_REGISTRIES", fake.host)

    def receive(repository: str, dag: str, memory: Path | None = tmp_path / "memory") -> int:
        reference = parse_reference(f"{fake.host}/{repository}:1")
        destination = RegistryDestination(reference, memory=memory)
        image = make_sample(tmp_path, dag=dag)
        receipt = destination.receive(Bundle(str(reference), (image,)), print)
        assert destination.has(str(reference), image.manifest.digest)
        return receipt.sent_bytes

    return receive


def test_a_base_is_sent_to_a_registry_once(push, fake: FakeRegistry) -> None:
    first, second = push("team/one", "1"), push("team/two", "2")
    assert second < first
    mounts = [one.query for one in fake.requests if "mount" in one.query]
    assert [one["from"] for one in mounts] == ["team/one"]


def test_where_nothing_is_mounted_all_is_sent(push, fake: FakeRegistry) -> None:
    fake.mounts = False
    assert push("team/one", "1") == push("team/two", "2")


@pytest.mark.parametrize("broken", ["{", "[]", "no file"])
def test_a_broken_memory_only_costs_bytes(push, tmp_path: Path, broken: str) -> None:
    first = push("team/one", "1")
    (record,) = (tmp_path / "memory").glob("*.json")
    record.unlink() if broken == "no file" else record.write_text(broken)
    assert push("team/two", "2") == first
