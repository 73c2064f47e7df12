"""What an operator may set, where, and what is said of a mistake."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from leoflow_controlplane.error import SettingInvalid
from leoflow_controlplane.kubernetesoption import KUBERNETES_OPTIONS
from leoflow_controlplane.kubernetessetting import KubernetesSettings, read_kubernetes_settings
from leoflow_controlplane.option import OTHERS
from leoflow_controlplane.quantity import BYTES, COUNT, DAYS, SECONDS, SWITCH, Kind
from leoflow_controlplane.serveroption import SERVER_OPTIONS
from leoflow_controlplane.serversetting import ServerSettings, read_server_settings
from leoflow_controlplane.setting import OPTIONS, Settings, read_settings


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (SECONDS, "90", 90),
        (SECONDS, 0.5, 0.5),
        (SECONDS, "1h30m", 5400),
        (SECONDS, "500 ms", 0.5),
        (BYTES, "2MiB", 2 * 1024**2),
        (BYTES, "1.5kb", 1500),
        (BYTES, 7, 7),
        (DAYS, "forever", None),
        (DAYS, "30d", 30),
        (DAYS, 1.5, 1.5),
        (DAYS, "12h", 0.5),
        (SWITCH, "Yes", True),
        (SWITCH, False, False),
        (COUNT, "4", 4),
    ],
)
def test_values_have_units(kind: Kind, written: Any, value: Any) -> None:
    assert kind.read(written) == value


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (SECONDS, "10 parsecs"),
        (SECONDS, "m"),
        (SECONDS, "-1"),
        (SECONDS, "inf"),
        (SECONDS, "1h nonsense"),
        (SECONDS, True),
        (BYTES, "2 XB"),
        (BYTES, "0"),
        (DAYS, "0"),
        (SWITCH, "maybe"),
        (SWITCH, 1),
        (COUNT, "1.5"),
        (COUNT, True),
        (COUNT, []),
    ],
)
def test_what_is_no_value_is_refused(kind: Kind, written: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        kind.read(written)


def test_flags_count_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "server.toml").write_text(
        'port = 1\nhost = "file"\nexecutor = "docker"\npull_timeout_seconds = "20m"\n'
    )
    environment = {"LEOFLOW_PORT": "2", "LEOFLOW_HOST": "environment", "LEOFLOW_REALM": " "}
    settings = read_server_settings(tmp_path, {"port": 3, "realm": None}, environment)
    sources = {one.option.name: one.source for one in settings.chosen}
    assert (settings.port, sources["port"]) == (3, "flag --port")
    assert (settings.host, sources["host"]) == ("environment", "environment LEOFLOW_HOST")
    assert sources["executor"] == f"file {tmp_path / 'server.toml'}"
    assert settings.limits.pull_timeout_seconds == 1200
    assert (settings.realm, sources["realm"]) == (None, "default")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "server.toml").write_text('prot = 1\nmax_map_length = "many"\n')
    environment = {"LEOFLOW_MAX_PARALLEL_TASK": "3", "LEOFLOW_XCOM_LIMIT_BYTES": "2 XB"}
    with pytest.raises(SettingInvalid) as error:
        read_server_settings(tmp_path, {"port": "x"}, environment)
    text = str(error.value)
    assert len(text.splitlines()) == 5
    assert "'prot' is unknown. Did you mean 'port'?" in text
    assert "Did you mean 'LEOFLOW_MAX_PARALLEL_TASKS'?" in text
    assert "LEOFLOW_XCOM_LIMIT_BYTES is '2 XB'" in text
    assert "--port is 'x'" in text
    assert "'max_map_length'" in text


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    named = {"LEOFLOW_CONFIG": str(tmp_path / "other.toml")}
    with pytest.raises(SettingInvalid, match=r"other\.toml"):
        read_server_settings(tmp_path, {}, named)
    (tmp_path / "server.toml").write_text("port = ")
    with pytest.raises(SettingInvalid, match="is not TOML"):
        read_server_settings(tmp_path, {}, {})


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"tls_cert": "c"}, "needs both"),
        ({"executor": "subprocess"}, "--subprocess-projects"),
        ({"executor": "podman"}, "'docker' or 'kubernetes' or 'subprocess'"),
    ],
)
def test_what_does_not_fit_together_is_told(
    tmp_path: Path, flags: dict[str, str], says: str
) -> None:
    with pytest.raises(SettingInvalid, match=says):
        read_server_settings(tmp_path, flags, {})


def test_every_option_is_a_field_and_has_its_default() -> None:
    own = {field.name for field in fields(ServerSettings)} - {
        "home",
        "limits",
        "chosen",
        "kubernetes",
        "engine",
    }
    assert {option.name for option in SERVER_OPTIONS} == own
    limits = {field.name for field in fields(Settings)}
    assert {option.name for option in OPTIONS} <= limits
    cluster = {f"kubernetes_{field.name}" for field in fields(KubernetesSettings)}
    assert {option.name for option in KUBERNETES_OPTIONS} == cluster
    assert KubernetesSettings() == read_kubernetes_settings({})
    for option in (*SERVER_OPTIONS, *KUBERNETES_OPTIONS, *OPTIONS):
        if option.default is not None:
            assert option.kind.read(option.default) == option.default, option.name


def test_the_servers_variables_and_others_do_not_disturb_a_run() -> None:
    servers = [option.variable for option in (*SERVER_OPTIONS, *KUBERNETES_OPTIONS)]
    environment = dict.fromkeys([*servers, *OTHERS], "x")
    assert read_settings(environment) == read_settings({})


def test_what_is_said_of_the_cluster_reaches_both_a_server_and_a_run(tmp_path: Path) -> None:
    environment = {
        "LEOFLOW_KUBERNETES_NAMESPACE": "dags",
        "LEOFLOW_KUBERNETES_IMAGE_PULL_SECRETS": "one, two",
        "LEOFLOW_KUBERNETES_AGENT_MOUNT": "image-volume",
        "LEOFLOW_KUBERNETES_KEEP_FAILED_SECONDS": "1d",
    }
    found = read_kubernetes_settings(environment)
    assert found == KubernetesSettings(
        namespace="dags",
        image_pull_secrets=("one", "two"),
        agent_mount="image-volume",
        keep_failed_seconds=86400,
    )
    assert read_server_settings(tmp_path, {}, environment).kubernetes == found


def test_the_budget_of_the_machinery_may_be_none_at_all() -> None:
    assert read_settings({"LEOFLOW_MACHINERY_RETRIES": "0"}).machinery_retries == 0
    with pytest.raises(SettingInvalid, match="a whole number from 0 on"):
        read_settings({"LEOFLOW_MACHINERY_RETRIES": "-1"})
