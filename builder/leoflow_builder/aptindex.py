"""What a Debian mirror has: resolves package names and fetches .debs, with apt's own checks.

apt works in a folder under LEOFLOW_HOME with no installed package: of the machine it takes sources,
keyring and proxy, and writes nothing. Indexes are verified by their signatures, .debs by the
indexes' hashes.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from leoflow_builder import debian
from leoflow_builder.cache import make_key
from leoflow_builder.cachehold import hold
from leoflow_builder.debarchive import DebCache
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.problem import did_you_mean
from leoflow_builder.recipe import BaseImageError
from leoflow_builder.scratch import scratch_folder

APT_HELPER = "/usr/lib/apt/apt-helper"
# Debian Policy 5.6.7; apt reads more into other names: a version, a release, a removal.
PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.\-]+")
_UNKNOWN = re.compile(r"E: (?:Unable to locate package|Package '?)\s*([a-z0-9][a-z0-9+.\-]*)")
_CHOSEN = re.compile(r"Inst (\S+) \((\S+) .*\[(\S+)\]\)")


class UnknownPackage(BaseImageError):
    """A name that is none of the distribution's; ``hint`` is empty or " Did you mean '…'?"."""

    def __init__(self, name: str, suite: str, hint: str) -> None:
        super().__init__(f"Debian {suite} has no package '{name}'.{hint}")
        self.name = name
        self.hint = hint


@dataclass(frozen=True)
class Offer:
    """A package that the mirror has; ``filename`` is relative to one of its archives."""

    package: DebPackage
    filename: str


class Index(Protocol):
    """What a mirror has for one release and one architecture."""

    suite: str

    def closure(self, names: Sequence[str]) -> tuple[DebPackage, ...]:
        """Return the packages with all they depend on, sorted; UnknownPackage if one is none."""
        ...

    def fetch(self, packages: Sequence[DebPackage], cache: DebCache) -> None:
        """Put .debs into the cache; those that the mirror has no more stay missing."""
        ...


class AptIndex:
    """The mirror that this machine uses; see ``Index``. The first use fetches its indexes."""

    def __init__(self, suite: str, architecture: str, home: Path) -> None:
        self.suite = suite
        self._architecture = architecture
        self._home = home.absolute()
        self._updated = False

    def closure(self, names: Sequence[str]) -> tuple[DebPackage, ...]:
        """Resolve names; see ``Index.closure``."""
        for name in names:
            if not PACKAGE_NAME.fullmatch(name):
                raise UnknownPackage(name, self.suite, "")
        with self._apt() as apt:
            try:
                said = apt.run("apt-get", "install", "--simulate", *names)
            except debian.CommandFailed as error:
                match = _UNKNOWN.search(error.stderr)
                if match is None:
                    raise
                known = apt.run("apt-cache", "pkgnames").split()
                name = next((one for one in names if one == match[1]), match[1])
                raise UnknownPackage(name, self.suite, did_you_mean(name, known)) from None
            chosen = [f"{m[1]}={m[2]}" for m in map(_CHOSEN.match, said.splitlines()) if m]
            offers = {one.package.name: one.package for one in apt.offers(chosen)}
        return tuple(sorted(offers.values()))

    def fetch(self, packages: Sequence[DebPackage], cache: DebCache) -> None:
        """Fetch .debs; see ``Index.fetch``."""
        with self._apt() as apt:
            offers = apt.offers(sorted({one.name for one in packages}))
            offered = {one.package for one in offers}
            apt.download([one for one in packages if one in offered], cache)
            for package in cache.missing(packages):
                places = {one.filename for one in offers if one.package.name == package.name}
                apt.download_from_pool(package, places, cache)

    @contextmanager
    def _apt(self) -> Iterator[_Apt]:
        debian.require_tools()
        archives = debian.mirrors()
        lines = debian.source_lines(self.suite, archives)
        options = debian.host_options()
        state = self._home / "cache" / "apt" / make_key([self._architecture, *lines])
        hold(state)
        (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        with (
            (state / ".lock").open("w") as lock,
            scratch_folder(".apt-", state.parent) as scratch,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX)
            apt = _Apt(scratch, sorted(set(archives.values())))
            apt.write_settings(state, self._architecture, lines, options)
            if not self._updated:
                apt.run("apt-get", "update", "-o", "APT::Update::Error-Mode=any")
                self._updated = True
            yield apt


class _Apt:
    """apt's commands with settings of their own in a folder for the moment."""

    def __init__(self, scratch: Path, addresses: Sequence[str]) -> None:
        self._scratch = scratch
        self._addresses = addresses

    def write_settings(
        self, state: Path, architecture: str, sources: Sequence[str], options: Sequence[str]
    ) -> None:
        for name in ("cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d", "log"):
            (self._scratch / name).mkdir(parents=True)
        (self._scratch / "status").touch()
        listed = "".join(f"{line}\n" for line in sources)
        (self._scratch / "etc" / "sources.list").write_text(listed, encoding="utf-8")
        settings = {
            "APT::Architecture": architecture,
            "APT::Architectures::": architecture,
            "APT::Get::AllowUnauthenticated": "false",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "",
            "Acquire::GzipIndexes": "false",
            "Acquire::Languages": "none",
            "Dir::Cache": str(self._scratch / "cache"),
            "Dir::Etc": str(self._scratch / "etc"),
            "Dir::Etc::netrc": "/etc/apt/auth.conf",
            "Dir::Etc::netrcparts": "/etc/apt/auth.conf.d",
            "Dir::Log": str(self._scratch / "log"),
            "Dir::State": str(state),
            "Dir::State::status": str(self._scratch / "status"),
        }
        own = [f'{key} "{value}";' for key, value in settings.items()]
        lines = [*options, "#clear APT::Architectures;", *own]
        (self._scratch / "apt.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(self, *command: str, folder: Path | None = None) -> str:
        doing = "asking the Debian mirror"
        return debian.run(list(command), doing, self._scratch / "apt.conf", folder)

    def offers(self, names: Sequence[str]) -> list[Offer]:
        """Return what the mirror has under names, or under names with versions ("a=1")."""
        if not names:
            return []
        try:
            said = self.run("apt-cache", "show", *names)
        except debian.CommandFailed:
            if len(names) == 1:
                return []
            return [offer for name in names for offer in self.offers([name])]
        return list(parse_offers(said))

    def download(self, packages: Sequence[DebPackage], cache: DebCache) -> None:
        if not packages:
            return
        cache.folder.mkdir(parents=True, exist_ok=True)
        with scratch_folder(".fetching-", cache.folder) as folder:
            names = [f"{one.name}={one.version}" for one in packages]
            self.run("apt-get", "download", *names, folder=folder)
            for package in packages:
                cache.take(folder / _downloaded_name(package), package)

    def download_from_pool(self, package: DebPackage, filenames: set[str], cache: DebCache) -> None:
        """Try where a version lay before a newer one took its place; its hash is known."""
        cache.folder.mkdir(parents=True, exist_ok=True)
        with scratch_folder(".fetching-", cache.folder) as folder:
            for address in (
                f"{address.rstrip('/')}/{place}/{_pool_name(package)}"
                for address in self._addresses
                for place in sorted({name.rpartition("/")[0] for name in filenames})
            ):
                target = folder / "one.deb"
                try:
                    self.run(
                        *(APT_HELPER, "download-file", address, str(target)),
                        f"SHA256:{package.sha256}",
                    )
                except debian.CommandFailed:
                    continue
                cache.take(target, package)
                return


def parse_offers(text: str) -> Iterator[Offer]:
    """Read the stanzas that `apt-cache show` prints."""
    for stanza in text.split("\n\n"):
        lines = (line.partition(": ") for line in stanza.splitlines() if line[:1] != " ")
        fields = {key: value.strip() for key, _, value in lines}
        if {"Package", "Version", "Architecture", "SHA256", "Filename"} <= fields.keys():
            yield Offer(
                DebPackage(
                    fields["Package"], fields["Version"], fields["Architecture"], fields["SHA256"]
                ),
                fields["Filename"],
            )


def _downloaded_name(package: DebPackage) -> str:
    version = package.version.replace(":", "%3a")
    return f"{package.name}_{version}_{package.architecture}.deb"


def _pool_name(package: DebPackage) -> str:
    """Return a .deb's name in the pool, which is without the epoch."""
    version = package.version.rpartition(":")[2]
    return f"{package.name}_{version}_{package.architecture}.deb"
