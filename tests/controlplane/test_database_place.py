"""Which database a URL names, and what is told of one that cannot be used."""

from __future__ import annotations

import pytest
from ledger import Ledger
from leoflow_controlplane.database import Database, postgresql
from leoflow_controlplane.error import DatabaseUnusable, SettingInvalid


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://root@localhost/leoflow", "'mysql' names no database that leoflow uses"),
        ("leoflow.db", "is no URL of a database. Write sqlite:///"),
        ("sqlite://", "'sqlite' names no database"),
    ],
)
def test_a_url_that_is_of_no_use_is_refused(url: str, reason: str) -> None:
    with pytest.raises(SettingInvalid, match=reason):
        Database(url, Ledger())


def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "find_spec", lambda name: None)
    with pytest.raises(SettingInvalid, match=r"pip install 'leoflow\[postgresql\]'"):
        Database("postgresql://localhost/leoflow", Ledger())


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://leoflow:geheim@127.0.0.1:1/leoflow",
        "postgresql://leoflow@127.0.0.1:1/leoflow?password=geheim",
        "postgresql://leoflow:geheim@127.0.0.1:port/leoflow",
        "postgresql://leoflow@127.0.0.1:1/leoflow?password=geheim&nonsense=1",
    ],
)
async def test_a_password_is_never_told(url: str) -> None:
    with pytest.raises((DatabaseUnusable, SettingInvalid)) as caught:
        await Database(url, Ledger()).open()
    chain: list[str] = []
    error: BaseException | None = caught.value
    while error is not None:
        chain.append(str(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert not [told for told in chain if "geheim" in told]
