"""The `store:` section of freshd.yaml: where facts are kept, and for how long.

`store: sqlite:///freshd.db`, or a mapping with `url` and more. A password belongs in `password_file`;
it is never shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from freshd.documents import Closed, DurationField, secret_text
from freshd.model.time import DAY

DEFAULT_URL: Final = "sqlite:///freshd.db"

_DRIVERS: Final = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_KNOWN: Final = "write sqlite:///PATH or postgresql://USER@HOST/DATABASE"


class KeepSettings(Closed):
    """How long history is kept for people. The state of assets does not depend on it."""

    journal: DurationField = Field(
        35 * DAY, ge=0, description="every step after its checkpoint, for freshd replay and freshd backtest"
    )
    journal_megabytes: int = Field(2_000, ge=0, description="and never more of it than this, the oldest goes first")
    materialisations: DurationField = Field(90 * DAY, gt=0, description="updates and the outcomes of runs")
    materialisation_rows: int = Field(
        20_000_000, ge=1_000, description="and never more than this many of them, the oldest go first"
    )
    runs: DurationField = Field(90 * DAY, gt=0)
    verdict_changes: DurationField = Field(365 * DAY, gt=0)
    objectives: DurationField = Field(400 * DAY, gt=0, description="hourly totals of policies with an slo")
    incidents: DurationField = Field(365 * DAY, gt=0, description="after they are closed, with their notices")
    dead_letters: DurationField = Field(30 * DAY, gt=0)
    dead_letter_rows: int = Field(10_000, ge=1)
    unmatched: DurationField = Field(30 * DAY, gt=0, description="after the last event of that name")
    unmatched_rows: int = Field(10_000, ge=1, description="names that match nothing; the longest unseen go first")


class StoreSettings(Closed):
    """Where facts are kept."""

    url: SecretStr = Field(
        SecretStr(DEFAULT_URL),
        description="sqlite:///PATH (relative to freshd.yaml) or postgresql://USER@HOST/DATABASE",
    )
    password: SecretStr | None = None
    password_file: Path | None = Field(None, description="a file that holds the password")
    synchronous: Literal["full", "normal"] = Field(
        "full", description="SQLite only: normal is faster, and may lose the last moments when the power fails"
    )
    keep: KeepSettings = KeepSettings()

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"url": value} if isinstance(value, str) else value

    @field_validator("url")
    @classmethod
    def _known_kind(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        try:
            url = make_url(text)
        except ArgumentError:
            raise ValueError(f"this is not the URL of a store; {_KNOWN}") from None
        kind = url.get_backend_name()
        if kind not in _DRIVERS:
            raise ValueError(f"{kind} is not a store that is known here; {_KNOWN}")
        if kind == "sqlite" and url.database in (None, "", ":memory:"):
            raise ValueError("a store in memory would forget everything; write sqlite:///PATH")
        if kind != "sqlite" and not url.database:
            raise ValueError(f"the URL names no database; {_KNOWN}")
        return value

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("give password or password_file, not both")
        return self

    def target(self, base: Path = Path()) -> URL:
        """The whole URL, with driver and password; a relative file lies under `base`.

        Raises ConfigError if the password file cannot be read. Its text hides the password.
        """
        url = make_url(self.url.get_secret_value())
        url = url.set(drivername=_DRIVERS[url.get_backend_name()])
        if url.get_backend_name() == "sqlite":
            return url.set(database=str(base / (url.database or "")))
        password = secret_text(self.password, self.password_file, "store.password_file")
        return url.set(password=password) if password is not None else url
