"""What people may write under `store:`, and what they are told when it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from freshd.adapters.sql import StoreSettings
from freshd.documents import parse_yaml, validate
from freshd.model.errors import ConfigError
from freshd.model.time import DAY


def read(text: str) -> StoreSettings:
    return validate(StoreSettings, parse_yaml(text, "freshd.yaml")[0], "store")


def test_a_text_is_the_url() -> None:
    assert read("store: sqlite:///x/f.db").target(Path("/base")).render_as_string() == "sqlite+pysqlite:////base/x/f.db"


def test_an_absolute_file_stays_where_it_is() -> None:
    assert read("store: sqlite:////data/f.db").target(Path("/base")).database == "/data/f.db"


def test_the_default_is_a_file_beside_the_settings() -> None:
    assert StoreSettings().target(Path("/base")).database == "/base/freshd.db"


@pytest.mark.parametrize("kind", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_with_a_password_from_a_file(tmp_path: Path, kind: str) -> None:
    (tmp_path / "pw").write_text("p@ss:word/\n")
    settings = read(f"store: {{url: '{kind}://u@host:5433/db?sslmode=require', password_file: {tmp_path}/pw}}")
    url = settings.target(tmp_path)
    assert (url.drivername, url.password, url.host, url.port) == ("postgresql+psycopg", "p@ss:word/", "host", 5433)
    assert url.query == {"sslmode": "require"}


def test_secrets_are_not_shown() -> None:
    settings = read("store: {url: 'postgresql://u:geheim@host/db', password: streng}")
    assert "geheim" not in repr(settings)
    assert "streng" not in repr(settings)
    assert settings.target().password == "streng"


def test_how_long_history_is_kept() -> None:
    settings = read("store: {url: 'sqlite:///f.db', keep: {materialisations: 30d, dead_letter_rows: 5}}")
    assert settings.keep.materialisations == 30 * DAY
    assert settings.keep.dead_letter_rows == 5
    assert settings.keep.incidents == 365 * DAY


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("store: mysql://u@host/db", "mysql is not a store that is known here; write sqlite:///PATH or postgresql://"),
        ("store: freshd.db", "not the URL of a store; write sqlite:///PATH"),
        ("store: 'sqlite://'", "a store in memory would forget everything"),
        ("store: 'sqlite:///:memory:'", "a store in memory would forget everything"),
        ("store: postgresql://u@host", "names no database"),
        ("store: {url: 'sqlite:///f.db', password: a, password_file: b}", "give password or password_file, not both"),
        ("store: {ulr: 'sqlite:///f.db'}", "did you mean url"),
        ("store: {keep: {materialisations: 0s}}", "greater than 0"),
        ("store: {synchronous: off}", "full"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("freshd.yaml:1")


def test_a_password_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    settings = StoreSettings.model_validate({"url": "postgresql://u@h/db", "password_file": "none"})
    with pytest.raises(ConfigError, match=r"store\.password_file"):
        settings.target(tmp_path)


def test_a_missing_driver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from freshd.adapters.sql import SqlStore
    from freshd.model.errors import PermanentError

    hidden: dict[str, Any] = {name: None for name in list(sys.modules) if name.split(".")[0] == "psycopg"}
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for name in hidden:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(PermanentError, match=r"install freshd\[postgres\]"):
        SqlStore(StoreSettings.model_validate("postgresql://u@h/db"))
