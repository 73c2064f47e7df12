"""What a control plane keeps: DAGs and versions, variables, connections, tokens, backfills."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fakeserver import LATER, NOON, FakeServer, make_dag, make_run
from leoflow_cli.client.address import Address
from leoflow_cli.outcome import InvalidInput

BUILT = {
    "schema_version": 1,
    "spec": {"dag_id": "etl", "python_version": "3.11", "tasks": []},
    "image": {"reference": "leoflow/etl:1", "digest": "sha256:0", "platform": "linux/amd64"},
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "etl"
    folder.mkdir()
    (folder / "leoflow.yaml").write_text("dag_id: etl\n")
    (folder / "dag.py").write_text("")
    (folder / "dag.json").write_text(json.dumps(BUILT))
    return folder


def test_push_registers_what_was_built(server: FakeServer, call, project: Path):
    result = call("push", str(project), "--json")
    assert server.sent("POST")[0].body == BUILT
    assert "registered version 1 of DAG 'etl'" in result.stderr
    assert json.loads(result.stdout)["version_number"] == 1
    again = call("push", str(project / "dag.json"))
    assert "nothing to register: it is version 1 of DAG 'etl' already" in again.stderr


def test_push_refuses_what_the_project_has_gone_on_since(server: FakeServer, call, project: Path):
    later = (project / "dag.json").stat().st_mtime + 60
    os.utime(project / "dag.py", (later, later))
    with pytest.raises(InvalidInput, match=r"dag.py' is newer than .*: run `leoflow build"):
        call("push", str(project))
    assert not server.requests
    assert "registered" in call("push", str(project / "dag.json")).stderr


def test_push_of_what_was_not_built_says_what_to_run(server: FakeServer, call, project: Path):
    (project / "dag.json").unlink()
    with pytest.raises(InvalidInput, match=f"run `leoflow build {project}` first"):
        call("push", str(project))


@pytest.mark.parametrize(
    ("text", "said"), [("{", "is not JSON"), ("{}", "is not what `leoflow build` writes")]
)
def test_push_of_what_is_no_dag(server: FakeServer, call, project: Path, text: str, said: str):
    (project / "dag.json").write_text(text)
    with pytest.raises(InvalidInput, match=said):
        call("push", str(project / "dag.json"))


def test_what_push_refuses_is_told_line_by_line(server: FakeServer, call, project: Path):
    server.answers["POST", "/api/v2/dags"] = (422, {"detail": "dag.py:1: a\ndag.py:2: b"})
    with pytest.raises(InvalidInput) as caught:
        call("push", str(project))
    assert str(caught.value).splitlines()[1:] == ["  dag.py:1: a", "  dag.py:2: b"]


def test_an_image_without_a_digest_is_pushed_with_a_warning(server, call, project: Path):
    image = {**BUILT["image"], "digest": None}  # type: ignore[dict-item]
    (project / "dag.json").write_text(json.dumps({**BUILT, "image": image}))
    assert "'leoflow/etl:1' has no digest" in call("push", str(project)).stderr


def test_push_tells_what_has_no_effect_there(server: FakeServer, call, project: Path):
    told = {"kind": "no_effect", "message": "dag.py:1: x has no effect here"}
    version = {"dag_id": "etl", "version_number": 1, "warnings": [told]}
    server.answers["POST", "/api/v2/dags"] = (201, version)
    assert "dag.py:1: x has no effect here\n" in call("push", str(project)).stderr


NO_REGISTRY = {"kind": "bare_image", "message": "'leoflow/etl:1' names no registry: load it"}


@pytest.mark.parametrize("warnings", [[], [NO_REGISTRY]])
def test_an_image_that_another_machine_may_not_find_is_told_once(
    server: FakeServer, call, project: Path, monkeypatch, warnings: list[dict[str, str]]
):
    """A cluster says it itself, and better."""
    monkeypatch.setattr(Address, "is_loopback", False)
    version = {"dag_id": "etl", "version_number": 1, "warnings": warnings}
    server.answers["POST", "/api/v2/dags"] = (201, version)
    assert call("push", str(project)).stderr.count("names no registry") == 1


def test_dags_are_listed_with_what_they_do_next(server: FakeServer, call):
    server.dags["hourly"] = make_dag(
        "hourly", timetable_summary="0 * * * *", next_dagrun_run_after=NOON, tags=[{"name": "a"}]
    )
    server.dags["manual"] = make_dag("manual", is_paused=True)
    header, hourly, manual = call("dags").stderr.splitlines()
    assert header.split() == ["dag_id", "schedule", "paused", "next", "run", "tags"]
    assert "2026-01-31 12:00:00+00:00  a" in hourly
    assert manual.split() == ["manual", "manual", "paused"]


def test_one_dag_is_shown_with_its_facts(server: FakeServer, call):
    version = {"version_number": 3, "created_at": NOON}
    params = {"a": {"value": 1, "schema": {}, "description": None}}
    server.dags["etl"] = make_dag("etl", latest_dag_version=version, catchup=False, params=params)
    said = call("dags", "show", "etl").stderr
    facts = dict(line.strip().split("  ", 1) for line in said.splitlines()[1:])
    assert facts["version"].strip() == "3"
    assert facts["catchup"].strip() == "no"
    assert facts["params"].strip() == '{"a": 1}'


def test_dags_are_paused_and_let_go_on(server: FakeServer, call):
    server.dags["etl"] = make_dag("etl")
    call("dags", "pause", "etl")
    call("dags", "unpause", "etl")
    assert [one.body for one in server.sent("PATCH")] == [{"is_paused": True}, {"is_paused": False}]


def test_a_dag_is_deleted_only_if_that_is_meant(server: FakeServer, call):
    server.add_run(make_run("etl", "one"))
    refused = call("dags", "delete", "etl", stdin="n\n")
    assert refused.exit_code != 0
    assert "the history of its 1 run" in refused.stderr
    assert "etl" in server.dags
    call("dags", "delete", "etl", "--yes")
    assert "etl" not in server.dags


def test_a_variable_is_set_changed_read_and_deleted(server: FakeServer, call):
    assert "is set" in call("variables", "set", "region", "north").stderr
    assert "is changed" in call("variables", "set", "region", "south").stderr
    assert call("variables", "get", "region").stdout == "south\n"
    assert call("variables").stderr.splitlines()[1].split() == ["region", "south"]
    assert "no task can be given it" in call("variables", "set", "north-region", "x").stderr
    call("variables", "delete", "north-region")
    call("variables", "delete", "region")
    assert "no variable" in call("variables").stderr


def test_a_value_may_come_on_stdin_so_that_no_history_has_it(server: FakeServer, call):
    call("variables", "set", "key", "-", stdin="a\nb\n")
    assert server.variables["key"]["value"] == "a\nb"


def test_without_a_value_and_a_terminal_the_way_is_said(server: FakeServer, call):
    with pytest.raises(InvalidInput, match="no value for variable 'key'"):
        call("variables", "set", "key")


def test_variables_that_airflow_exported_are_imported_as_airflow_does(
    server: FakeServer, call, tmp_path: Path
):
    exported = {"a": "text", "b": {"value": [1], "description": "why"}, "c": {"x": None}}
    file = tmp_path / "variables.json"
    file.write_text(json.dumps(exported))
    assert "imported 3 variables" in call("variables", "import", str(file)).stderr
    values = {name: (one["value"], one["description"]) for name, one in server.variables.items()}
    assert values == {"a": ("text", None), "b": ("[1]", "why"), "c": ('{"x": null}', None)}
    with pytest.raises(InvalidInput, match=r"nosuch\.json' cannot be read: No such file"):
        call("variables", "import", str(tmp_path / "nosuch.json"))


def test_an_import_changes_what_is_there_only_if_told_to(server: FakeServer, call, tmp_path: Path):
    call("variables", "set", "a", "old")
    file = tmp_path / "variables.json"
    file.write_text('{"a": "new", "b": "1"}')
    with pytest.raises(InvalidInput, match="nothing was imported: the control plane has 'a'"):
        call("variables", "import", str(file))
    assert "b" not in server.variables
    said = call("variables", "import", str(file), "--on-existing", "skip").stderr
    assert said == "imported 1 variable, skipped 1\n"
    assert server.variables["a"]["value"] == "old"
    call("variables", "import", str(file), "--on-existing", "overwrite")
    assert server.variables["a"]["value"] == "new"


def test_a_connection_is_set_from_a_uri_and_listed_without_its_secret(server: FakeServer, call):
    call("connections", "set", "warehouse", "-", stdin="postgres://me:s%3Bt@Host:5432/db?a=1\n")
    sent = server.sent("POST")[0].body
    assert sent == {
        "connection_id": "warehouse",
        "conn_type": "postgres",
        "host": "Host",
        "login": "me",
        "password": "s;t",
        "schema": "db",
        "port": 5432,
        "extra": '{"a": "1"}',
    }
    said = call("connections").stderr
    assert "s;t" not in said
    assert said.splitlines()[1].split() == ["warehouse", "postgres", "Host", "5432", "me", "db"]


def test_connections_that_airflow_exported_are_imported(server: FakeServer, call, tmp_path: Path):
    file = tmp_path / "connections.json"
    exported = {
        "a": {"conn_type": "http", "host": "h", "extra": {"k": 1}, "port": None, "description": ""},
        "b": "sqlite:///x.db",
    }
    file.write_text(json.dumps(exported))
    assert "imported 2 connections" in call("connections", "import", str(file)).stderr
    assert server.connections["a"]["extra"] == '{"k": 1}'
    assert server.connections["b"]["schema"] == "x.db"


def test_a_token_is_printed_once_on_stdout(server: FakeServer, call):
    result = call("tokens", "create", "ci", "--role", "viewer", "--expires", "2027-01-01")
    assert result.stdout == "made-up\n"
    assert server.sent("POST")[0].body == {
        "name": "ci",
        "role": "viewer",
        "expires_at": "2027-01-01T00:00:00+00:00",
    }
    listed = call("tokens").stderr
    assert listed.splitlines()[1].split()[:2] == ["ci", "viewer"]
    assert "made-up" not in listed
    with pytest.raises(InvalidInput, match=r"there is no token 'cii'\. Did you mean 'ci'\?"):
        call("tokens", "delete", "cii")
    call("tokens", "delete", "ci")
    assert not server.tokens


def test_a_backfill_is_begun_and_waited_for(server: FakeServer, call):
    server.add_run(make_run("etl", "one", "success", run_type="backfill"))
    server.add_run(make_run("etl", "two", "failed", run_type="backfill"))
    result = call(
        *("backfill", "create", "etl", "--from", "2026-01-01", "--to", "2026-01-31"),
        *("--reprocess", "failed", "--wait", "--json"),
    )
    assert server.sent("POST")[0].body == {
        "dag_id": "etl",
        "from_date": "2026-01-01T00:00:00+00:00",
        "to_date": "2026-01-31T00:00:00+00:00",
        "max_active_runs": 10,
        "reprocess_behavior": "failed",
        "run_backwards": False,
        "dag_run_conf": {},
    }
    assert "  1 failed, 1 success\n" in result.stderr
    assert json.loads(result.stdout)["runs"] == {"success": 1, "failed": 1}
    assert result.exit_code == 1


def test_backfills_are_listed_paused_and_cancelled(server: FakeServer, call):
    call("backfill", "create", "etl", "--from", "2026-01-01", "--to", "2026-01-31")
    server.backfills[1]["completed_at"] = None
    assert "is paused" in call("backfill", "pause", "1").stderr
    assert call("backfill").stderr.splitlines()[1].split()[:3] == ["1", "etl", "paused"]
    call("backfill", "cancel", "1")
    assert [one.path.rpartition("/")[2] for one in server.sent("PUT")] == ["pause", "cancel"]
    server.backfills[1]["completed_at"] = LATER
    assert call("backfill", "list", "etl").stderr.splitlines()[1].split()[2] == "over"
