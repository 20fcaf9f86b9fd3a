"""The `kafka:` section of freshd.yaml.

It says where the brokers are, which topics are read in which format, and where a topic never seen before
begins. It connects to nothing; what its words mean for a client is connect.py's business.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema, model_validator

from freshd.documents import Closed, DurationField
from freshd.model.time import MINUTE, Instant, parse_instant

Start = Literal["earliest", "latest"] | Instant
"""Where a topic never seen before begins: its start, its end, or the first message from an instant on."""


def _start(value: Any) -> Any:
    if value in ("earliest", "latest"):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return parse_instant(value)
    except (ValueError, AttributeError):
        raise ValueError(
            f"{value!r} is not a start; write earliest, latest or an instant like 2026-11-22T08:00:00Z"
        ) from None


StartField = Annotated[
    Start,
    BeforeValidator(_start),
    WithJsonSchema({"type": "string", "examples": ["earliest", "latest", "2026-11-22T08:00:00Z"]}),
]


def _servers(value: Any) -> Any:
    """A list, or (from the environment) one text with commas."""
    if isinstance(value, str):
        return [server.strip() for server in value.split(",") if server.strip()]
    return value


class TopicSettings(Closed):
    """One topic: how its messages are written, and whether its silence tells anything."""

    format: str = "freshd"
    heartbeat: DurationField | None = Field(
        default=None, description="silence for longer than this is blindness, not news"
    )
    start: StartField | None = Field(default=None, description="where this topic begins when never seen before")


class SecuritySettings(Closed):
    """How brokers are spoken to. Secrets are read again for every connection, so that they can be changed under way."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str = ""
    password: SecretStr | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    key_password: SecretStr | None = None
    key_password_file: Path | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.protocol.startswith("SASL"):
            if not self.username:
                raise ValueError(f"protocol {self.protocol} needs a username")
            if (self.password is None) == (self.password_file is None):
                raise ValueError(f"protocol {self.protocol} needs either password or password_file")
        elif self.username or self.password or self.password_file:
            raise ValueError(
                f"username and password have no effect with protocol {self.protocol}; write SASL_SSL or SASL_PLAINTEXT"
            )
        if self.key_password is not None and self.key_password_file is not None:
            raise ValueError("write key_password or key_password_file, not both")
        if "SSL" not in self.protocol and (self.ca_file or self.cert_file or self.key_file):
            raise ValueError(
                f"ca_file, cert_file and key_file have no effect with protocol {self.protocol}; write SSL or SASL_SSL"
            )
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file needs cert_file")
        return self


class KafkaSettings(Closed):
    """Where the brokers are and what is read from them."""

    bootstrap_servers: Annotated[list[str], BeforeValidator(_servers)] = Field(min_length=1)
    group_id: str = Field(
        default="freshd", description="for lag tools and ACLs; positions are kept in the store. Empty: commit nothing"
    )
    start: StartField = "earliest"
    topics: dict[str, TopicSettings] = Field(default_factory=dict)
    blind_after: DurationField = Field(
        default=MINUTE,
        description="out of reach, or behind, for so long: what rests on it is unknown",
    )
    max_lag: int = Field(default=100_000, gt=0, description="messages of a topic that reading may be behind")
    security: SecuritySettings = SecuritySettings()
    client_id: str = "freshd"

    def begins(self, topic: str) -> Start:
        """Where this topic begins when never seen before."""
        own = self.topics[topic].start
        return self.start if own is None else own
