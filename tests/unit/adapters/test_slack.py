"""Alerts in Slack, against a local server that behaves as Slack's API does."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.slack_server import TOKEN, SlackServer, _check, slack_server

from freshd.adapters.slack import SlackNotifier, SlackSettings, TerminalNotifier, make_notifier
from freshd.adapters.slack.message import render
from freshd.model.effects import AFFECTED_SHOWN, Notice
from freshd.model.errors import ConfigError, PermanentError, TransientError
from freshd.model.policy import Severity
from freshd.model.time import HOUR, SECOND, parse_instant

OPENED = parse_instant("2026-11-22T08:00:00Z")


def notice(**changes: object) -> Notice:
    standard = Notice(
        notice_id="inc-1/#data-freshness/1",
        incident="inc-1",
        channel="",
        cause="shop/raw_orders",
        reason="no_update",
        severity=Severity.CRITICAL,
        opened_at=OPENED,
        closed_at=None,
        at=OPENED,
        affected=(("shop/orders", "hourly", "stale"), ("shop/raw_orders", "hourly", "stale")),
        affected_count=2,
    )
    return replace(standard, **changes)  # type: ignore[arg-type]


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server


@pytest.fixture
def notifier(slack: SlackServer) -> SlackNotifier:
    return SlackNotifier(TOKEN, "#data-freshness", base_url=slack.url, timeout_s=5)


def test_an_incident_is_one_message_that_is_edited_as_it_spreads_and_heals(slack, notifier) -> None:
    handle = notifier.send(notice())
    assert handle.startswith("C0000000001:")
    (message,) = slack.roots()
    shown = json.dumps(message["blocks"])
    assert "shop/raw_orders" in shown and "no update arrives" in shown and "shop/orders is stale (hourly)" in shown
    assert message["text"] == "[critical] shop/raw_orders: no update arrives (2 affected)"

    spread = notice(notice_id="inc-1/2", handle=handle, affected_count=3)
    healed = notice(notice_id="inc-1/3", handle=handle, closed_at=OPENED + HOUR, affected=(), affected_count=0)
    assert notifier.send(spread) == handle
    assert notifier.send(healed) == handle
    (message,) = slack.roots()
    assert message["text"] == "[resolved] Resolved: shop/raw_orders"
    assert "after 1h" in json.dumps(message["blocks"])
    assert "shop/orders" not in json.dumps(message["blocks"])


def test_the_message_says_who_knows_of_it_and_what_is_muted(slack, notifier) -> None:
    handle = notifier.send(notice())
    known = notice(
        notice_id="inc-1/2", handle=handle, acknowledged_by="ada", acknowledged_reason="<the supplier> is called",
        acknowledged_until=OPENED + HOUR, muted=3,
    )  # fmt: skip
    notifier.send(known)
    (message,) = slack.roots()
    shown = json.dumps(message["blocks"])
    assert message["text"] == "[acknowledged] shop/raw_orders: no update arrives (2 affected)"
    assert "Acknowledged*\\nby ada until " in shown and "&lt;the supplier&gt; is called" in shown
    assert "and 3 muted" in shown
    notifier.send(replace(known, notice_id="inc-1/3", affected=(), affected_count=0))
    (message,) = slack.roots()
    assert message["text"] == "[muted] shop/raw_orders: no update arrives"
    notifier.send(replace(known, notice_id="inc-1/4", affected=(), affected_count=0, closed_at=OPENED + HOUR, muted=0))
    (message,) = slack.roots()
    assert message["text"] == "[resolved] Resolved: shop/raw_orders"
    assert "Acknowledged" not in json.dumps(message["blocks"])


def test_the_message_of_what_cannot_be_seen_says_why(slack, notifier) -> None:
    notifier.send(notice(cause="kafka/lineage", reason="blind", why="silent for 6m, its heartbeat is <5m>"))
    (message,) = slack.roots()
    said = "nothing is heard from it, so nothing is known (silent for 6m, its heartbeat is &lt;5m&gt;)"
    assert message["text"] == f"[critical] kafka/lineage: {said} (2 affected)"
    assert f"*Reason*\\n{said}" in json.dumps(message["blocks"])


def test_the_terminal_says_so_too() -> None:
    said: list[str] = []
    TerminalNotifier(said.append).send(
        notice(
            cause="kafka/lineage",
            reason="blind",
            why="no broker answers",
            affected=(("shop/orders", "hourly", "blind"),),
            affected_count=1,
            acknowledged_by="ada",
            acknowledged_reason="I am at it",
            acknowledged_until=OPENED + HOUR,
        )
    )
    assert said == [
        "ALERT [acknowledged] kafka/lineage: nothing is heard from it, so nothing is known (no broker answers)  "
        "(incident inc-1, 2026-11-22T08:00:00Z)\n"
        "  - shop/orders is unknown (hourly)\n"
        "  acknowledged by ada until 2026-11-22T09:00:00Z: I am at it"
    ]


def test_what_people_must_notice_is_told_once_in_the_thread(slack, notifier) -> None:
    handle = notifier.send(notice())
    worse = notice(notice_id="inc-1/2", handle=handle, thread=("Severity rose to critical", "Opened again"))
    notifier.send(worse)
    notifier.send(worse)
    ts = handle.partition(":")[2]
    assert slack.thread(ts) == ["Severity rose to critical", "Opened again"]


def test_a_policys_channel_is_used_instead_of_the_default(slack, notifier) -> None:
    assert notifier.send(notice(channel="#finance")).startswith("C0000000002:")


@pytest.mark.parametrize("fault", ["drop_after", "hang_after", "garbage"])
def test_a_post_whose_answer_is_lost_is_found_again_and_not_repeated(slack, fault: str) -> None:
    notifier = SlackNotifier(TOKEN, "#data-freshness", base_url=slack.url, timeout_s=1)
    slack.page = 1
    notifier.send(notice(incident="inc-0", notice_id="inc-0/1"))
    slack.fail("chat.postMessage", fault)
    with pytest.raises(TransientError):
        notifier.send(notice())
    notifier.send(notice(incident="inc-2", notice_id="inc-2/1"))
    handle = notifier.send(notice())
    assert len(slack.roots()) == 3
    assert handle == f"C0000000001:{slack.roots()[1]['ts']}"


def test_a_notice_sent_again_after_a_crash_finds_its_message(slack, notifier) -> None:
    handle = notifier.send(notice(thread=("Opened again",)))
    after_a_crash = SlackNotifier(TOKEN, "#data-freshness", base_url=slack.url)
    assert after_a_crash.send(notice(thread=("Opened again",))) == handle
    assert len(slack.roots()) == 1
    assert slack.thread(handle.partition(":")[2]) == ["Opened again"]


def test_a_line_of_the_thread_whose_answer_is_lost_is_not_repeated(slack, notifier) -> None:
    handle = notifier.send(notice())
    worse = notice(notice_id="inc-1/2", handle=handle, thread=("one", "two"))
    slack.fail("chat.postMessage", "drop_after")
    with pytest.raises(TransientError):
        notifier.send(worse)
    assert notifier.send(worse) == handle
    assert slack.thread(handle.partition(":")[2]) == ["one", "two"]


def test_a_doubtful_post_is_not_repeated_while_the_channel_cannot_be_searched(slack, notifier) -> None:
    slack.fail("chat.postMessage", "drop_after")
    with pytest.raises(TransientError):
        notifier.send(notice())
    slack.fail("conversations.history", "rate_limit", 7)
    with pytest.raises(TransientError) as caught:
        notifier.send(notice())
    assert caught.value.retry_after == 7 * SECOND
    notifier.send(notice())
    assert len(slack.roots()) == 1


def test_a_first_post_is_not_held_up_by_a_missing_scope_for_searching(slack, notifier) -> None:
    slack.fail("conversations.list", "error", "missing_scope", times=9)
    slack.fail("conversations.history", "error", "missing_scope", times=9)
    assert notifier.send(notice())


def test_the_client_never_sends_twice_by_itself(slack, notifier) -> None:
    for fault in ("drop_before", "drop_after"):
        before = slack.count("chat.postMessage")
        slack.fail("chat.postMessage", fault)
        with pytest.raises(TransientError):
            notifier.send(notice(incident=fault, notice_id=fault))
        assert slack.count("chat.postMessage") == before + 1


@pytest.mark.parametrize(
    ("kind", "value", "expected", "said"),
    [
        ("rate_limit", 30, TransientError, "too many requests"),
        ("status", 500, TransientError, "HTTP 500"),
        ("status", 503, TransientError, "HTTP 503"),
        ("error", "internal_error", TransientError, "internal_error"),
        ("error", "ratelimited", TransientError, "too many requests"),
        ("error", "invalid_auth", PermanentError, "slack.token_file"),
        ("error", "account_inactive", PermanentError, "slack.token_file"),
        ("error", "channel_not_found", PermanentError, "slack.channel"),
        ("error", "not_in_channel", PermanentError, "invite the bot"),
        ("error", "is_archived", PermanentError, "archived"),
        ("error", {"ok": False, "error": "missing_scope", "needed": "chat:write"}, PermanentError, "chat:write"),
        ("error", "some_new_error", PermanentError, "some_new_error"),
    ],
)
def test_what_slack_refuses_is_typed_by_what_to_do_about_it(slack, notifier, kind, value, expected, said) -> None:
    slack.fail("chat.postMessage", kind, value)
    with pytest.raises(expected) as caught:
        notifier.send(notice())
    assert said in str(caught.value)
    assert TOKEN not in str(caught.value)
    if kind == "rate_limit":
        assert caught.value.retry_after == 30 * SECOND


def test_a_wrong_token_is_a_permanent_error_that_does_not_show_it(slack, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(PermanentError) as caught:
        SlackNotifier("xoxb-wrong-secret", "#data-freshness", base_url=slack.url).send(notice())
    assert "invalid_auth" in str(caught.value)
    assert "wrong-secret" not in str(caught.value) + caplog.text
    assert caught.value.__cause__ is None


def test_a_server_that_is_not_there_is_a_transient_error() -> None:
    with pytest.raises(TransientError, match="cannot be reached"):
        SlackNotifier(TOKEN, "#data-freshness", base_url="http://127.0.0.1:9/api/").send(notice())


def test_a_message_that_somebody_deleted_is_posted_anew(slack, notifier) -> None:
    handle = notifier.send(notice())
    slack.messages.clear()
    again = notifier.send(notice(notice_id="inc-1/2", handle=handle))
    assert len(slack.roots()) == 1
    assert again.startswith("C0000000001:")


def test_people_are_mentioned_by_id_address_or_word_and_nobody_else_is_pinged(slack, notifier) -> None:
    slack.people["ann@shop.example"] = "U0000000042"
    names = ("ann@shop.example", "bob@shop.example", "U0000000007", "S0000000008", "@here", "<!channel>")
    notifier.send(notice(mentions=names, cause="<!channel>"))
    (message,) = slack.roots()
    foot = message["blocks"][-1]["elements"][0]["text"]
    expected = "<@U0000000042> bob@shop.example <@U0000000007> <!subteam^S0000000008> <!here> &lt;!channel&gt;"
    assert foot.startswith(expected)
    assert "<!channel>" not in json.dumps(message["blocks"]) + message["text"]


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=900) | st.sampled_from(
    ["<>&" * 300, "a/b", "x" * 4_000]
)


@settings(max_examples=150, deadline=None)
@given(
    cause=NAMES,
    affected=st.lists(st.tuples(NAMES, NAMES, st.just("stale")), max_size=AFFECTED_SHOWN),
    more=st.integers(0, 10_000),
    closed=st.booleans(),
    merged=st.just("") | NAMES,
)
def test_whatever_a_notice_holds_its_message_is_within_slacks_limits(cause, affected, more, closed, merged) -> None:
    message = render(
        notice(
            cause=cause,
            affected=tuple(affected),
            affected_count=len(affected) + more,
            closed_at=OPENED + HOUR if closed else None,
            merged_into=merged,
        )
    )
    assert _check({"text": message.text, "blocks": list(message.blocks)}) == ""
    assert "<" not in message.text and ">" not in message.text


def test_the_list_of_affected_assets_says_how_many_it_leaves_out() -> None:
    pairs = tuple((f"shop/{'very_long_name' * 20}_{n}", "hourly", "stale") for n in range(AFFECTED_SHOWN))
    shown = json.dumps(render(notice(affected=pairs, affected_count=70)).blocks)
    assert shown.count("is stale") + int(shown.partition("and ")[2].partition(" more")[0]) == 70


def test_without_a_token_alerts_are_written_to_the_terminal() -> None:
    written: list[str] = []
    notifier = make_notifier(SlackSettings(), written.append)
    assert isinstance(notifier, TerminalNotifier)
    handle = notifier.send(notice(cause="shop/\x1b[31mred"))
    notifier.send(notice(handle=handle, closed_at=OPENED + HOUR))
    assert written[0].splitlines()[0].startswith("ALERT [critical] shop/?[31mred: no update arrives")
    assert "  - shop/orders is stale (hourly)" in written[0].splitlines()
    assert written[1].startswith("ALERT [resolved] Resolved: shop/raw_orders after 1h")


def test_the_token_comes_from_a_file_and_an_unreadable_file_is_named(tmp_path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    assert SlackSettings(token_file=file).secret() == TOKEN
    assert isinstance(make_notifier(SlackSettings(token_file=file), print), SlackNotifier)
    with pytest.raises(ConfigError, match=r"slack\.token_file") as caught:
        SlackSettings(token_file=tmp_path / "none").secret()
    assert "none" in caught.value.problems[0].where
