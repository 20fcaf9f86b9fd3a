"""Alerts from the whole daemon to a server that behaves as Slack: one message an incident, none lost, none twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.running import RunningDaemon
from tests.slack_server import TOKEN, SlackServer, slack_server

SETTINGS = """\
store: sqlite:///freshd.db
listen: 127.0.0.1:0
catalog: [assets.yaml]
policies: policies.yaml
slack: {token_file: slack-token, channel: "#data-freshness", base_url: URL}
"""
ASSETS = """\
assets:
  - {key: shop/raw}
  - {key: shop/view, upstreams: [shop/raw], virtual: true}
"""
POLICIES = """\
policies:
  - {name: soon, select: "**", expect: {age: {stale: 1h}}, alert: {severity: critical}}
"""
LONG_AGO = "2026-01-01T00:00:00Z"


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server


@pytest.fixture
def shop(tmp_path: Path, slack: SlackServer) -> Path:
    (tmp_path / "freshd.yaml").write_text(SETTINGS.replace("URL", slack.url))
    (tmp_path / "assets.yaml").write_text(ASSETS)
    (tmp_path / "policies.yaml").write_text(POLICIES)
    (tmp_path / "slack-token").write_text(TOKEN)
    return tmp_path


def texts(slack: SlackServer) -> list[str]:
    """What stands in the channel, threads left out."""
    return [message["text"] for message in slack.roots()]


def test_one_message_that_names_the_cause_and_is_edited_when_all_is_well(shop: Path, slack: SlackServer) -> None:
    with RunningDaemon(shop) as daemon:
        daemon.post({"asset": "shop/raw", "at": LONG_AGO})
        daemon.eventually(lambda: len(slack.roots()) == 1)
        assert "shop/raw" in texts(slack)[0]
        daemon.post({"asset": "shop/raw"})
        daemon.eventually(lambda: "resolved" in texts(slack)[0].lower())
        assert len(slack.roots()) == 1
        assert TOKEN not in daemon.said()


def test_an_answer_that_is_lost_does_not_make_a_second_message(shop: Path, slack: SlackServer) -> None:
    slack.fail("chat.postMessage", "drop_after")
    with RunningDaemon(shop) as daemon:
        daemon.post({"asset": "shop/raw", "at": LONG_AGO})
        daemon.eventually(lambda: slack.count("chat.postMessage") >= 1 and slack.count("conversations.history") >= 1)
        daemon.eventually(lambda: slack.count("chat.update") + slack.count("chat.postMessage") >= 2)
        assert len(slack.roots()) == 1


def test_an_alert_that_could_not_be_sent_before_a_crash_is_sent_after_it(shop: Path, slack: SlackServer) -> None:
    slack.fail("chat.postMessage", "status", 500, times=1_000)
    with RunningDaemon(shop) as daemon:
        daemon.post({"asset": "shop/raw", "at": LONG_AGO})
        daemon.eventually(lambda: slack.count("chat.postMessage") >= 1)
        daemon.kill()
    assert slack.roots() == []
    slack.faults.clear()
    with RunningDaemon(shop) as daemon:
        daemon.eventually(lambda: len(slack.roots()) == 1)
        assert "shop/raw" in texts(slack)[0]
