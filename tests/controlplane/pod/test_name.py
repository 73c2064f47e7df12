"""What Pods and claims are called, and how they are found again."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent.podname import bad_dns_label, bad_label_key, bad_label_value
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.pod.name import (
    claim_name,
    label_value,
    make_annotations,
    make_labels,
    make_run_annotations,
    pod_name,
    read_run,
    read_try,
)
from podgolden import SITE

IDS = st.text(min_size=1, max_size=300)
KEYS = st.builds(TryKey, IDS, IDS, IDS, st.integers(-1, 2**31), st.integers(1, 2**31))


@given(KEYS)
def test_kubernetes_takes_every_name_and_label(key: TryKey) -> None:
    assert bad_dns_label(pod_name(key, "realm")) is None
    assert bad_dns_label(claim_name(key.run, "realm")) is None
    for name, value in make_labels(key, SITE).items():
        assert (bad_label_key(name), bad_label_value(value)) == (None, None)


@given(KEYS)
def test_a_pod_tells_which_try_it_is_of(key: TryKey) -> None:
    assert read_try({"annotations": make_annotations(key)}) == key
    assert read_run({"annotations": make_run_annotations(key.run)}) == key.run


def test_names_tell_apart_what_reads_alike() -> None:
    keys = [
        TryKey("a-b", "r", "c", -1, 1),
        TryKey("a", "r", "b-c", -1, 1),
        TryKey("a_b", "r", "c", -1, 1),
        TryKey("a-b", "r", "c", 1, 1),
        TryKey("a-b", "r", "c", -1, 2),
        TryKey("a-b", "R", "c", -1, 1),
    ]
    names = {pod_name(key, realm) for key in keys for realm in ("x", "y")}
    assert len(names) == 2 * len(keys)


def test_a_name_can_be_read_by_people() -> None:
    long = TryKey("Nightly Weather!", "r", "t" * 100, 12345, 2)
    name = pod_name(long, "realm")
    assert re.fullmatch(r"leoflow-nightly-weather-t+-12345-2-[0-9a-f]{12}", name)
    assert len(name) == 63


def test_a_label_that_was_cut_differs_from_what_it_was_cut_from() -> None:
    first, second = label_value("x" * 64), label_value("x" * 63 + "y")
    assert first != second
    assert first.startswith("x" * 50 + "-")
    assert label_value("manual__2026-01-01T00:00:00+00:00").startswith("manual__2026-01-01T00-00-")
    assert label_value("plain_1.2") == "plain_1.2"


def test_what_others_have_written_is_no_try() -> None:
    assert read_try({}) is None
    assert read_try({"annotations": None}) is None
    written = make_annotations(TryKey("d", "r", "t", -1, 1))
    assert read_try({"annotations": {**written, "leoflow.dev/try-number": "x"}}) is None
    assert read_run({"annotations": {}}) is None
    assert RunKey("d", "r") == read_run({"annotations": written})
