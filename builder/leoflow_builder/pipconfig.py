"""pip's own settings as uv understands them, so that whoever has set up pip need not set up more.

Pure but for ``read_pip_settings``. It starts nothing, and what it cannot translate it names, for
pip itself, behind pex, to obey.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

# The sections that count for installing, the later ones more (pip: "[global]", then the command's).
_SECTIONS = ("global", "install", "download")
# About pip's own doings, which have no part in what is found.
_IRRELEVANT = frozenset({
    "break-system-packages", "cache-dir", "compile", "config-file", "debug",
    "disable-pip-version-check", "exists-action", "log", "log-file", "no-cache-dir", "no-color",
    "no-compile", "no-input",
    "no-python-version-warning", "no-warn-conflicts", "no-warn-script-location", "only-binary",
    "prefer-binary", "progress-bar", "python", "quiet", "report", "require-virtualenv",
    "root-user-action", "src", "use-pep517", "verbose", "user",
})  # fmt: skip
_ALIASES = {"pypi-url": "index-url", "timeout": "default-timeout", "links": "find-links"}
_FALSE = ("0", "false", "no", "n", "off", "f", "")


@dataclass(frozen=True)
class UvSettings:
    """The same settings for uv. ``variables`` hold what may be secret, ``arguments`` never do;
    ``constraints`` are arguments that count for resolving only. ``indexes`` is how many there are.
    """

    arguments: tuple[str, ...]
    constraints: tuple[str, ...]
    variables: Mapping[str, str]
    indexes: int


class Untranslatable(Exception):
    """uv has nothing for a setting of pip's; the text names it."""


def read_pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return pip's settings as pip finds them here, by their long names: files, then variables."""
    found: dict[str, str] = {}
    for file in config_files(environ, Path(sys.prefix)):
        try:
            found |= parse_config(file.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
        except configparser.Error as error:
            raise Untranslatable(f"'{file}' cannot be read: {error.message}") from None
    return found | variables_of(environ)


def config_files(environ: Mapping[str, str], prefix: Path) -> list[Path]:
    """List pip's configuration files, the weakest first (pip: "Location" of pip's topic guide)."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    home = Path(environ.get("HOME") or Path.home())
    shared = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    files = [Path(folder, "pip", "pip.conf") for folder in shared.split(os.pathsep) if folder]
    files.append(Path("/etc/pip.conf"))
    if not (named and Path(named).exists()):
        own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        files += [home / ".pip" / "pip.conf", own / "pip" / "pip.conf"]
    files.append(prefix / "pip.conf")
    return [*files, Path(named)] if named else files


def parse_config(text: str) -> dict[str, str]:
    """Return what a pip.conf sets for installing."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    found: dict[str, str] = {}
    for section in (one for one in _SECTIONS if parser.has_section(one)):
        found |= {_name(key): value for key, value in parser.items(section) if value}
    return found


def variables_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the variables PIP_… set; empty ones set nothing."""
    names = {name: value for name, value in environ.items() if name.startswith("PIP_")}
    return {_name(name[4:]): value for name, value in names.items() if value}


def _name(key: str) -> str:
    name = key.lower().replace("_", "-").removeprefix("--")
    return _ALIASES.get(name, name)


def translate(settings: Mapping[str, str], environ: Mapping[str, str]) -> UvSettings:
    """Return pip's settings as uv's; Untranslatable where there is no such thing.

    ``environ`` tells the certificates and proxies that pip reads by itself.
    """
    unknown = [name for name in settings if name not in _TRANSLATED and name not in _IRRELEVANT]
    if unknown:
        raise Untranslatable(f"pip's setting '{sorted(unknown)[0]}' has no counterpart")
    indexes = _indexes(settings)
    variables = {**_certificates(settings, environ), **_network(settings), **indexes}
    extra = len(indexes.get("UV_INDEX", "").split())
    files = settings.get("constraint", "").split()
    constraints = [part for file in files for part in ("--constraints", file)]
    return UvSettings(tuple(_arguments(settings)), tuple(constraints), variables, 1 + extra)


_TRANSLATED = frozenset({
    "cert", "client-cert", "constraint", "default-timeout", "extra-index-url", "find-links",
    "index-url", "keyring-provider", "no-index", "pre", "proxy", "retries", "trusted-host",
})  # fmt: skip


def _indexes(settings: Mapping[str, str]) -> dict[str, str]:
    if _is_set(settings.get("no-index")):
        return {}
    variables = {"UV_DEFAULT_INDEX": _index(settings.get("index-url", "https://pypi.org/simple"))}
    extra = [_index(one) for one in settings.get("extra-index-url", "").split()]
    return variables | ({"UV_INDEX": " ".join(extra)} if extra else {})


def _index(address: str) -> str:
    if "://" not in address:
        raise Untranslatable("an index that is a plain path has no counterpart")
    return address


def _arguments(settings: Mapping[str, str]) -> Iterator[str]:
    # pip takes the best of all indexes; uv alone would take the first that has the name.
    yield from ("--index-strategy", "unsafe-best-match")
    if _is_set(settings.get("no-index")):
        yield "--no-index"
    if _is_set(settings.get("pre")):
        yield from ("--prerelease", "allow")
    for host in settings.get("trusted-host", "").split():
        yield from ("--allow-insecure-host", host)
    for place in settings.get("find-links", "").split():
        yield from _find_links(place)


def _find_links(place: str) -> Sequence[str]:
    parts = urlsplit(place)
    if parts.scheme in ("http", "https"):
        if parts.username or parts.password:
            raise Untranslatable("find-links with a password in it has no safe counterpart")
        return ("--find-links", place)
    folder = Path(unquote(parts.path) if parts.scheme == "file" else place).expanduser()
    if folder.is_file():
        raise Untranslatable("find-links that is a file has no counterpart")
    # pip passes over a folder that is not there; uv would stop.
    return ("--find-links", str(folder.absolute())) if folder.is_dir() else ()


def _certificates(settings: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Follow pip: its own setting, then what requests reads, then OpenSSL's variable."""
    others = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    places = [settings.get("cert"), *(environ.get(name) for name in others)]
    bundle = next((place for place in places if place), None)
    if bundle is not None and Path(bundle).is_dir():
        variables = {"SSL_CERT_DIR": bundle, "SSL_CERT_FILE": ""}
    elif bundle is not None:
        variables = {"SSL_CERT_FILE": str(Path(bundle).expanduser())}
    else:
        variables = {"UV_SYSTEM_CERTS": "true"}
    if "client-cert" in settings:
        variables["SSL_CLIENT_CERT"] = settings["client-cert"]
    return variables


def _network(settings: Mapping[str, str]) -> dict[str, str]:
    variables = {}
    if "proxy" in settings:
        proxy = settings["proxy"]
        variables["ALL_PROXY"] = proxy if "://" in proxy else f"http://{proxy}"
        variables |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), variables["ALL_PROXY"])
    if "default-timeout" in settings:
        variables["UV_HTTP_TIMEOUT"] = str(round(_number(settings, "default-timeout")))
    if "retries" in settings:
        variables["UV_HTTP_RETRIES"] = str(round(_number(settings, "retries")))
    provider = settings.get("keyring-provider", "auto")
    if provider == "import":
        raise Untranslatable("pip's setting 'keyring-provider = import' has no counterpart")
    if provider != "auto":
        variables["UV_KEYRING_PROVIDER"] = provider
    return variables


def _number(settings: Mapping[str, str], name: str) -> float:
    try:
        return float(settings[name])
    except ValueError:
        raise Untranslatable(f"pip's setting '{name}' is '{settings[name]}', no number") from None


def _is_set(value: str | None) -> bool:
    if value is None:
        return False
    return value.strip().lower() not in _FALSE
