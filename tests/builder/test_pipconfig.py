"""pip's settings, found where pip finds them, in uv's words."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_builder.pipconfig import (
    Untranslatable,
    config_files,
    parse_config,
    read_pip_settings,
    translate,
    variables_of,
)


def test_files_are_read_in_pip_s_order(tmp_path: Path) -> None:
    environ = {"HOME": "/h", "XDG_CONFIG_DIRS": "/x:/y"}
    assert config_files(environ, Path("/venv")) == [
        Path("/x/pip/pip.conf"),
        Path("/y/pip/pip.conf"),
        Path("/etc/pip.conf"),
        Path("/h/.pip/pip.conf"),
        Path("/h/.config/pip/pip.conf"),
        Path("/venv/pip.conf"),
    ]


def test_a_file_that_is_named_takes_the_place_of_the_user_s(tmp_path: Path) -> None:
    own = tmp_path / "own.conf"
    own.touch()
    found = config_files({"HOME": "/h", "PIP_CONFIG_FILE": str(own)}, Path("/venv"))
    assert found[-2:] == [Path("/venv/pip.conf"), own]
    assert not any("/h/" in str(one) for one in found)
    assert config_files({"PIP_CONFIG_FILE": "/dev/null"}, Path("/venv")) == []


def test_sections_that_install_count_and_others_do_not() -> None:
    text = "[global]\ntimeout = 9\n[install]\nindex_url = https://a\n[list]\npre = true\n"
    assert parse_config(text) == {"default-timeout": "9", "index-url": "https://a"}


def test_variables_are_stronger_than_files_and_empty_ones_say_nothing(tmp_path: Path) -> None:
    own = tmp_path / "own.conf"
    own.write_text("[global]\nindex-url = https://file\nretries = 2\n")
    environ = {
        "PIP_CONFIG_FILE": str(own),
        "PIP_INDEX_URL": "https://variable",
        "PIP_RETRIES": "",
        "HOME": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path),
    }
    settings = read_pip_settings(environ)
    assert settings["index-url"] == "https://variable"
    assert settings["retries"] == "2"
    assert variables_of({"PIP_X": "", "OTHER": "1"}) == {}


def test_indexes_go_by_variables_since_they_may_hold_passwords() -> None:
    made = translate({"index-url": "https://u:p@a/s", "extra-index-url": "https://b https://c"}, {})
    assert made.variables["UV_DEFAULT_INDEX"] == "https://u:p@a/s"
    assert made.variables["UV_INDEX"] == "https://b https://c"
    assert made.indexes == 3
    assert not any("u:p" in one for one in made.arguments)


def test_the_best_of_all_indexes_is_taken_as_pip_does() -> None:
    assert translate({}, {}).arguments == ("--index-strategy", "unsafe-best-match")
    assert translate({}, {}).variables["UV_DEFAULT_INDEX"] == "https://pypi.org/simple"


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ({"no-index": "true"}, ("--no-index",)),
        ({"no-index": "0"}, ()),
        ({"pre": "yes"}, ("--prerelease", "allow")),
        ({"trusted-host": "a b:1"}, ("--allow-insecure-host", "a", "--allow-insecure-host", "b:1")),
        ({"find-links": "https://a/links"}, ("--find-links", "https://a/links")),
        ({"find-links": "/nowhere/at/all"}, ()),
        ({"disable-pip-version-check": "1", "progress-bar": "off"}, ()),
    ],
)
def test_arguments(settings: dict[str, str], arguments: tuple[str, ...]) -> None:
    assert translate(settings, {}).arguments[2:] == arguments


def test_constraints_count_for_resolving_only() -> None:
    made = translate({"constraint": "/c.txt"}, {})
    assert made.constraints == ("--constraints", "/c.txt")
    assert "/c.txt" not in made.arguments


def test_folders_of_wheels_are_given_whole(tmp_path: Path) -> None:
    for written in (str(tmp_path), tmp_path.as_uri()):
        assert translate({"find-links": written}, {}).arguments[2:] == (
            "--find-links",
            str(tmp_path),
        )


@pytest.mark.parametrize(
    ("settings", "environ", "variables"),
    [
        ({"cert": "/pip.pem"}, {"SSL_CERT_FILE": "/o.pem"}, {"SSL_CERT_FILE": "/pip.pem"}),
        ({}, {"REQUESTS_CA_BUNDLE": "/r.pem", "SSL_CERT_FILE": "/o"}, {"SSL_CERT_FILE": "/r.pem"}),
        ({}, {"SSL_CERT_FILE": "/o.pem"}, {"SSL_CERT_FILE": "/o.pem"}),
        ({}, {}, {"UV_SYSTEM_CERTS": "true"}),
        ({"client-cert": "/me.pem"}, {}, {"SSL_CLIENT_CERT": "/me.pem"}),
        ({"proxy": "p:1"}, {}, {"HTTPS_PROXY": "http://p:1", "ALL_PROXY": "http://p:1"}),
        ({"default-timeout": "2.6"}, {}, {"UV_HTTP_TIMEOUT": "3"}),
        ({"retries": "0"}, {}, {"UV_HTTP_RETRIES": "0"}),
        ({"keyring-provider": "subprocess"}, {}, {"UV_KEYRING_PROVIDER": "subprocess"}),
    ],
)
def test_variables(
    settings: dict[str, str], environ: dict[str, str], variables: dict[str, str]
) -> None:
    assert variables.items() <= translate(settings, environ).variables.items()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"uploaded-prior-to": "2026-01-01"}, "'uploaded-prior-to'"),
        ({"no-binary": "numpy"}, "'no-binary'"),
        ({"index-url": "/a/path"}, "plain path"),
        ({"find-links": "https://u:p@a/"}, "password"),
        ({"find-links": __file__}, "a file"),
        ({"keyring-provider": "import"}, "keyring-provider"),
        ({"retries": "many"}, "'retries' is 'many'"),
    ],
)
def test_what_uv_has_nothing_for_is_named(settings: dict[str, str], words: str) -> None:
    with pytest.raises(Untranslatable, match=words):
        translate(settings, {})
