"""Where the time went."""

from __future__ import annotations

from leoflow_controlplane.timeline import timeline_ms

FULL = {
    "scheduled": 10.0,
    "dispatched": 10.001,
    "created": 10.011,
    "started": 10.211,
    "agent_up": 10.221,
    "import_started": 10.222,
    "entered": 10.322,
    "left": 11.322,
    "reported": 11.325,
    "ended": 11.4,
}


def test_every_wait_has_its_name() -> None:
    assert timeline_ms(FULL) == {
        "queue": 1.0,
        "create": 10.0,
        "start": 200.0,
        "agent": 11.0,
        "import": 100.0,
        "run": 1000.0,
        "report": 3.0,
        "total": 1325.0,
    }


def test_a_pod_waits_for_its_node_before_it_starts() -> None:
    waits = timeline_ms({**FULL, "placed": 10.1})
    assert (waits["create"], waits["place"], waits["start"]) == (10.0, 89.0, 111.0)


def test_the_waits_add_up_to_the_total_whatever_is_unknown() -> None:
    known = {phase: at for phase, at in FULL.items() if phase not in ("created", "entered")}
    waits = timeline_ms(known)
    assert "create" not in waits
    total = waits.pop("total")
    assert abs(sum(waits.values()) - total) < 0.01


def test_clocks_that_disagree_give_no_negative_wait() -> None:
    assert timeline_ms({"scheduled": 2.0, "dispatched": 1.0}) == {"queue": 0.0}


def test_an_instant_of_a_clock_that_is_wrong_goes_to_the_next_wait() -> None:
    year = 365 * 86400.0
    waits = timeline_ms({**FULL, "import_started": 10.222 + year, "entered": 10.322 - year})
    assert "agent" not in waits
    assert "import" not in waits
    assert waits["run"] == 1111.0
    assert waits["total"] == 1325.0


def test_nothing_known_is_nothing() -> None:
    assert timeline_ms({}) == {}
