"""Shows incidents in Slack: one message each, edited in place, with a thread for what people must notice.

A post whose answer never came may stand in the channel all the same, so before a new message or a line of a
thread is posted the channel is searched for the one that carries this notice in its metadata. It never
retries by itself: the caller decides, by the kind of error. The handle is `CHANNEL:TS`.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from freshd.adapters.slack.errors import TRANSPORT_ERRORS, api_error_code, from_api, from_client, from_transport
from freshd.adapters.slack.message import EVENT_TYPE, client_message_id, escape, metadata, render, render_line
from freshd.adapters.slack.settings import SLACK_API
from freshd.model.effects import Notice
from freshd.model.errors import PermanentError, TransientError
from freshd.model.time import MINUTE, SECOND

REMEMBERED: Final = 1_000
"""Notices, channels and people remembered."""
PAGE: Final = 200
SEARCH_PAGES: Final = 5
"""Pages of a channel or a thread that are searched for a doubtful post."""
CHANNEL_PAGES: Final = 10
SKEW: Final = 5 * MINUTE
"""How far Slack's clock may be behind ours."""
T = TypeVar("T")

_GONE: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
_GROUP_MENTIONS: Final = {"@here": "<!here>", "@channel": "<!channel>", "@everyone": "<!everyone>"}


@dataclass(slots=True)
class _Attempt:
    """What is known of a notice that was tried before."""

    handle: str = ""
    doubtful: bool = False
    """A call ended without an answer: what it posted may stand."""
    told: set[int] = field(default_factory=set)
    """Lines of the thread that stand."""


class SlackNotifier:
    """A `ports.Notifier` for one workspace, by a bot token."""

    def __init__(self, token: str, channel: str, base_url: str = SLACK_API, timeout_s: int = 10) -> None:
        quiet = logging.getLogger("freshd.slack")
        quiet.setLevel(logging.CRITICAL)
        self._client = WebClient(token=token, base_url=base_url, timeout=timeout_s, retry_handlers=[], logger=quiet)
        self._channel = channel
        self._attempts: OrderedDict[str, _Attempt] = OrderedDict()
        self._channels: OrderedDict[str, str] = OrderedDict()
        self._people: OrderedDict[str, str] = OrderedDict()

    def send(self, notice: Notice) -> str:
        """Post or edit the incident's message, then tell the thread's lines that do not stand yet.

        Raises TransientError (after a rate limit with its pause, after a broken call) or PermanentError
        (with how to mend it); either way a second try repeats nothing that stands.
        """
        attempt = _remember(self._attempts, notice.notice_id, _Attempt())
        try:
            attempt.handle = self._show(notice, attempt)
            self._tell(notice, attempt)
        except _Unanswered as error:
            attempt.doubtful = True
            raise error.meaning from None
        return attempt.handle

    def _show(self, notice: Notice, attempt: _Attempt) -> str:
        handle = attempt.handle or notice.handle
        if not handle.count(":") or handle.startswith("terminal:"):
            handle = self._find(notice, attempt)
        message = render(notice, [self._mention(who) for who in notice.mentions])
        body = {"text": message.text, "blocks": list(message.blocks), "metadata": metadata(notice)}
        if handle:
            channel, _, ts = handle.partition(":")
            try:
                self._call("chat.update", channel, {"channel": channel, "ts": ts, **body})
            except _Refused as refusal:
                if refusal.code not in _GONE:
                    raise refusal.meaning from None
            else:
                return handle
        channel = notice.channel or self._channel
        return self._post(channel, client_message_id(notice.notice_id), {**body, "unfurl_links": False})

    def _tell(self, notice: Notice, attempt: _Attempt) -> None:
        if not notice.thread or len(attempt.told) == len(notice.thread):
            return
        channel, _, ts = attempt.handle.partition(":")
        attempt.told |= self._lines_standing(notice, channel, ts, attempt.doubtful)
        for number, line in enumerate(notice.thread):
            if number not in attempt.told:
                body = {"text": render_line(line), "thread_ts": ts, "metadata": metadata(notice, number)}
                self._post(channel, client_message_id(notice.notice_id, number), body)
                attempt.told.add(number)

    def _post(self, channel: str, message_id: str, body: Mapping[str, Any]) -> str:
        try:
            answer = self._call("chat.postMessage", channel, {"channel": channel, **body, "client_msg_id": message_id})
        except _Refused as refusal:
            if not refusal.code.startswith("duplicate_"):
                raise refusal.meaning from None
            # Slack has seen this id but shows no such message: say it under no id.
            try:
                answer = self._call("chat.postMessage", channel, {"channel": channel, **body})
            except _Refused as again:
                raise again.meaning from None
        place, ts = answer.get("channel"), answer.get("ts")
        if not isinstance(place, str) or not isinstance(ts, str):
            raise _Unanswered(TransientError("Slack's answer to chat.postMessage names no message"))
        _remember(self._channels, channel, place)
        return f"{place}:{ts}"

    # Finding what may stand already

    def _find(self, notice: Notice, attempt: _Attempt) -> str:
        """The handle of the incident's message, if it stands; empty if not, or if it cannot be searched for."""
        oldest = f"{(notice.opened_at - SKEW) // SECOND}.000000"
        try:
            channel = self._channel_id(notice.channel or self._channel)
            if channel:
                for message in self._pages("conversations.history", "messages", channel, {"oldest": oldest}):
                    if _payload(message).get("incident") == notice.incident and not _payload(message).get("line"):
                        return f"{channel}:{message.get('ts', '')}"
        except _Refused as refusal:
            if attempt.doubtful and isinstance(refusal.meaning, TransientError):
                raise refusal.meaning from None
        except _Unanswered:
            if attempt.doubtful:
                raise
        return ""

    def _lines_standing(self, notice: Notice, channel: str, ts: str, doubtful: bool) -> set[int]:
        standing = set()
        try:
            for message in self._pages("conversations.replies", "messages", channel, {"ts": ts}):
                payload = _payload(message)
                if payload.get("notice") == notice.notice_id and str(payload.get("line", "")).isdigit():
                    standing.add(int(payload["line"]))
        except _Refused as refusal:
            if doubtful and isinstance(refusal.meaning, TransientError):
                raise refusal.meaning from None
        except _Unanswered:
            if doubtful:
                raise
        return standing

    def _channel_id(self, channel: str) -> str:
        """The id that a channel's name stands for; empty if it cannot be found."""
        if not channel.startswith("#"):
            return channel
        known = self._channels.get(channel)
        if known is None:
            known = ""
            listed = {"types": "public_channel,private_channel", "exclude_archived": "true", "limit": 1_000}
            for item in self._pages("conversations.list", "channels", "", listed, CHANNEL_PAGES):
                if item.get("name") == channel[1:]:
                    known = str(item.get("id", ""))
                    break
            if known:
                _remember(self._channels, channel, known)
        return known

    def _pages(
        self, method: str, key: str, channel: str, query: Mapping[str, Any], pages: int = SEARCH_PAGES
    ) -> Iterator[Mapping[str, Any]]:
        asked: dict[str, Any] = {"limit": PAGE, **query}
        if channel:
            asked |= {"channel": channel, "include_all_metadata": "true"}
        for _ in range(pages):
            answer = self._call(method, channel, asked, as_form=True)
            yield from (item for item in answer.get(key) or () if isinstance(item, dict))
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
            asked["cursor"] = cursor

    def _mention(self, who: str) -> str:
        """Slack's markup that pings this person or group; plain text for those whom Slack does not know."""
        if who in _GROUP_MENTIONS:
            return _GROUP_MENTIONS[who]
        if len(who) >= 9 and who.isalnum() and who.isupper() and who[0] in "UWS":
            return f"<!subteam^{who}>" if who[0] == "S" else f"<@{who}>"
        if "@" not in who.strip("@"):
            return escape(who)
        if who not in self._people:
            try:
                answer = self._call("users.lookupByEmail", "", {"email": who}, as_form=True)
            except _Refused as refusal:
                if isinstance(refusal.meaning, TransientError):
                    return escape(who)
                found = ""
            except _Unanswered:
                return escape(who)
            else:
                found = str((answer.get("user") or {}).get("id", ""))
            _remember(self._people, who, found)
        known = self._people[who]
        return f"<@{known}>" if known else escape(who)

    def _call(self, method: str, channel: str, body: Mapping[str, Any], as_form: bool = False) -> Mapping[str, Any]:
        try:
            if as_form:
                answer = self._client.api_call(method, params=dict(body))
            else:
                answer = self._client.api_call(method, json=dict(body))
        except SlackApiError as error:
            meaning = from_api(error, method, channel)
            code = api_error_code(error)
            if isinstance(meaning, TransientError) and meaning.retry_after is None:
                raise _Unanswered(meaning) from None
            raise _Refused(code, meaning) from None
        except SlackClientError as error:
            raise _Refused("client", from_client(error, method)) from None
        except TRANSPORT_ERRORS as error:
            raise _Unanswered(from_transport(error, method)) from None
        return answer.data if isinstance(answer.data, dict) else {}


class _Refused(Exception):
    """Slack said no: nothing was done."""

    def __init__(self, code: str, meaning: TransientError | PermanentError) -> None:
        super().__init__(str(meaning))
        self.code = code
        self.meaning = meaning


class _Unanswered(Exception):
    """Nobody knows whether it was done."""

    def __init__(self, meaning: TransientError) -> None:
        super().__init__(str(meaning))
        self.meaning = meaning


def _payload(message: Mapping[str, Any]) -> Mapping[str, Any]:
    marks = message.get("metadata")
    if not isinstance(marks, dict) or marks.get("event_type") != EVENT_TYPE:
        return {}
    payload = marks.get("event_payload")
    return payload if isinstance(payload, dict) else {}


def _remember(memory: OrderedDict[str, T], key: str, value: T) -> T:
    """What is remembered under `key`, else `value` from now on; the oldest are forgotten at the limit."""
    kept = memory.setdefault(key, value)
    while len(memory) > REMEMBERED:
        memory.popitem(last=False)
    return kept
