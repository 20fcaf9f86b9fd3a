"""Logs are lines for people or JSON for machines, and never hold a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr
from tests.unit.runtime.fakes import ManualClock

from freshd.app.logs import HIDDEN, configure_logs
from freshd.model.time import HOUR


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root, structured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], root.level = handlers, level
    structlog.configure(**structured)


def test_json_is_one_object_a_line_with_the_clocks_time(out: io.StringIO) -> None:
    configure_logs(ManualClock(HOUR), "info", "json", out)
    structlog.get_logger("freshd.x").info("run.requested", run="r1", assets=["a", "b"])
    structlog.get_logger("freshd.x").debug("not shown")
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {
            "event": "run.requested",
            "run": "r1",
            "assets": ["a", "b"],
            "level": "info",
            "logger": "freshd.x",
            "time": "1970-01-01T01:00:00Z",
        }
    ]


def test_text_is_one_line_for_people(out: io.StringIO) -> None:
    configure_logs(ManualClock(), "info", "text", out)
    structlog.get_logger("freshd.x").warning("kafka.gap", partition="t/0")
    (line,) = out.getvalue().splitlines()
    assert "kafka.gap" in line
    assert "partition=t/0" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("format", ["text", "json"])
def test_secrets_are_never_written(out: io.StringIO, format: str) -> None:
    configure_logs(ManualClock(), "debug", format, out)  # type: ignore[arg-type]
    structlog.get_logger("freshd.x").info(
        "connecting",
        password="hunter2",
        api_token="hunter2",
        token_file="/run/token",
        store="postgresql://freshd:hunter2@db/freshd",
        header="Bearer hunter2",
        slack="xoxb-hunter2-hunter2",
        wrapped=SecretStr("hunter2"),
        inside={"client_secret": "hunter2", "urls": ["amqp://u:hunter2@h"]},
        error=ValueError("cannot reach postgresql://freshd:hunter2@db/freshd"),
    )
    text = out.getvalue()
    assert "hunter2" not in text
    assert text.count(HIDDEN) == 9
    assert "/run/token" in text


def test_what_vendors_log_goes_the_same_way_from_warning_up(out: io.StringIO) -> None:
    configure_logs(ManualClock(), "debug", "json", out)
    logging.getLogger("kafka.client").info("chatter")
    logging.getLogger("kafka.client").warning("broker %s is gone", "k1")
    (line,) = [json.loads(text) for text in out.getvalue().splitlines()]
    assert (line["event"], line["level"], line["logger"]) == ("broker k1 is gone", "warning", "kafka.client")


def test_a_trace_shows_no_local_variables(out: io.StringIO) -> None:
    configure_logs(ManualClock(), stream=out)
    try:
        hidden = "hunter2" + "x"
        raise ValueError(str(len(hidden)))
    except ValueError:
        structlog.get_logger("freshd.test").exception("failed")
    assert "Traceback" in out.getvalue()
    assert "hunter2x" not in out.getvalue()


def test_an_exception_is_told_with_its_trace(out: io.StringIO) -> None:
    configure_logs(ManualClock(), "info", "json", out)
    try:
        raise ValueError("nope")
    except ValueError:
        structlog.get_logger("freshd.x").exception("failed")
    line = json.loads(out.getvalue())
    assert "ValueError: nope" in line["exception"]
