"""How kafka-python's clients are configured: every limit by name, secrets read from their files at the last moment.

It makes clients and knows nothing of what is read with them. kafka-python hangs or skips silently with some of its
defaults (reference: its issues 2437, 3106, 3131 and what tests/integration shows), so nothing is left to them here.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer
from pydantic import SecretStr

from freshd.adapters.kafka.settings import KafkaSettings, SecuritySettings
from freshd.documents import secret_text
from freshd.model.errors import ConfigError, PermanentError

FETCH_MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes that one answer of a broker may carry (a single larger batch still comes): bounds memory when far behind."""

PARTITION_FETCH_BYTES: Final = 1024 * 1024
"""Of those, bytes of one partition."""

FRAME_MAX_BYTES: Final = 128 * 1024 * 1024
"""The largest answer that is believed: a batch of messages that is larger cannot be read."""

POLL_MAX_RECORDS: Final = 1_000
"""Messages that one poll hands over at most: one chunk, one step of the engine."""

FETCH_WAIT_MS: Final = 2_000
"""How long a broker holds an answer that would be empty; a message that arrives is answered at once.

An idle daemon with many partitions pays for every fetch."""

REQUEST_TIMEOUT_MS: Final = 10_000
CONNECT_TIMEOUT_MS: Final = 10_000
RECONNECT_MAX_MS: Final = 2_000
"""Longest pause between two tries to connect to a broker that is gone."""

METADATA_AGE_MS: Final = 60_000


def open_consumer(settings: KafkaSettings, **more: Any) -> KafkaConsumer:
    """A consumer of bytes without a group, at no position. Raises what kafka-python raises when nobody answers."""
    options: dict[str, Any] = {
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "allow_auto_create_topics": False,
        "fetch_max_bytes": FETCH_MAX_BYTES,
        "max_partition_fetch_bytes": PARTITION_FETCH_BYTES,
        "fetch_max_wait_ms": FETCH_WAIT_MS,
        "max_poll_records": POLL_MAX_RECORDS,
        "metrics_enabled": False,
    }
    return KafkaConsumer(**(_common(settings) | options | more))


def open_admin(settings: KafkaSettings, **more: Any) -> KafkaAdminClient:
    """A client that asks about topics and offsets. Raises what kafka-python raises when nobody answers."""
    return KafkaAdminClient(**(_common(settings) | more))


def _common(settings: KafkaSettings) -> dict[str, Any]:
    return {
        "bootstrap_servers": settings.bootstrap_servers,
        "client_id": settings.client_id,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "bootstrap_timeout_ms": CONNECT_TIMEOUT_MS,
        "reconnect_backoff_max_ms": RECONNECT_MAX_MS,
        "metadata_max_age_ms": METADATA_AGE_MS,
        "receive_message_max_bytes": FRAME_MAX_BYTES,
    } | _security(settings.security)


def _security(security: SecuritySettings) -> dict[str, Any]:
    options: dict[str, Any] = {"security_protocol": security.protocol}
    if "SSL" in security.protocol:
        options["ssl_context"] = _ssl_context(security)
    if security.protocol.startswith("SASL"):
        options["sasl_mechanism"] = security.mechanism
        options["sasl_plain_username"] = security.username
        options["sasl_plain_password"] = _secret(
            security.password, security.password_file, "kafka.security.password_file"
        )
    return options


def _ssl_context(security: SecuritySettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=security.ca_file)
        if security.cert_file is not None:
            password = _secret(security.key_password, security.key_password_file, "kafka.security.key_password_file")
            context.load_cert_chain(security.cert_file, security.key_file, password or None)
    except (OSError, ssl.SSLError) as error:
        files = [str(file) for file in (security.ca_file, security.cert_file, security.key_file) if file]
        raise PermanentError(f"kafka.security: cannot use {', '.join(files)}: {error}") from error
    return context


def _secret(given: SecretStr | None, file: Path | None, setting: str) -> str:
    try:
        return secret_text(given, file, setting) or ""
    except ConfigError as error:
        raise PermanentError(str(error)) from error
