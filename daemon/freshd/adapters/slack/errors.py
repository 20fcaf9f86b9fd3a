"""What Slack's refusals mean for the caller: try again later, or tell a person how to mend it.

The vendor's exceptions end here. Messages name the method, the channel and Slack's own word for the error,
never the token nor the body that was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPException
from typing import Final
from urllib.error import URLError

from slack_sdk.errors import SlackApiError, SlackClientError

from freshd.model.errors import PermanentError, TransientError
from freshd.model.time import HOUR, SECOND, Duration

RETRY_AFTER_LIMIT: Final = HOUR
RATE_LIMIT_PAUSE: Final = 30 * SECOND
"""The pause after a rate limit that names none."""
TRANSPORT_ERRORS: Final = (URLError, HTTPException, OSError, ValueError)
"""What urllib and the decoding of an answer raise under the client."""

_TRANSIENT: Final = frozenset(
    {
        "fatal_error",
        "internal_error",
        "ratelimited",
        "rate_limited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
        "org_login_required",
    }
)
_NEW_TOKEN: Final = "put a valid bot token (xoxb-…) into slack.token_file"
_MEND: Final[Mapping[str, str]] = {
    "not_authed": _NEW_TOKEN,
    "invalid_auth": _NEW_TOKEN,
    "token_revoked": _NEW_TOKEN,
    "token_expired": _NEW_TOKEN,
    "account_inactive": _NEW_TOKEN,
    "not_allowed_token_type": _NEW_TOKEN,
    "missing_scope": "add the scope to the Slack app and install it again",
    "channel_not_found": "check the channel's name in slack.channel or the policy's alert; invite the bot if private",
    "not_in_channel": "invite the bot to the channel, or give the Slack app the scope chat:write.public",
    "is_archived": "the channel is archived: name another in slack.channel or the policy's alert",
    "restricted_action": "a workspace setting forbids posting there: ask its administrator, or name another channel",
    "ekm_access_denied": "the workspace's administrators have suspended posting: ask them",
}


def from_api(error: SlackApiError, method: str, channel: str) -> TransientError | PermanentError:
    """What an answer of Slack that says no, or that is not an answer, means."""
    response = error.response
    status = getattr(response, "status_code", 0)
    code = api_error_code(error)
    where = f"Slack refused {method} for {channel}" if channel else f"Slack refused {method}"
    if status == 429 or code in ("ratelimited", "rate_limited"):
        return TransientError(f"{where}: too many requests", retry_after(getattr(response, "headers", None) or {}))
    if status >= 500 or code in _TRANSIENT or code == "not_json":
        return TransientError(f"{where}: HTTP {status}, {code}")
    needed = response.get("needed") if code == "missing_scope" else None
    hint = _MEND.get(code, "see Slack's documentation of that error")
    return PermanentError(f"{where}: {code}{f' ({needed})' if needed else ''}; {hint}")


def from_transport(error: BaseException, method: str) -> TransientError:
    """What a connection that failed, broke or took too long means."""
    reason = getattr(error, "reason", None) or error
    return TransientError(f"Slack cannot be reached for {method}: {type(error).__name__}: {reason}")


def from_client(error: SlackClientError, method: str) -> PermanentError:
    """What the client library itself refused to send."""
    return PermanentError(f"the Slack client refused {method}: {type(error).__name__}; check slack.base_url")


def api_error_code(error: SlackApiError) -> str:
    """Slack's word for the error; `not_json` if the answer was not Slack's."""
    try:
        code = error.response.get("error", "")
    except (AttributeError, ValueError):
        return "not_json"
    return code if isinstance(code, str) and code.replace("_", "").isalnum() and len(code) <= 80 else "not_json"


def retry_after(headers: Mapping[str, str]) -> Duration:
    """The pause that a rate limit asks for, at most an hour."""
    for name, value in headers.items():
        if name.lower() == "retry-after":
            text = value[0] if isinstance(value, list) else value
            try:
                return min(max(round(float(text) * SECOND), SECOND), RETRY_AFTER_LIMIT)
            except (ValueError, OverflowError):
                break
    return RATE_LIMIT_PAUSE
