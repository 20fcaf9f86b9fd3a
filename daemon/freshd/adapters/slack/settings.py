"""The `slack:` section of freshd.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from freshd.documents import Closed, secret_text

SLACK_API = "https://slack.com/api/"


class SlackSettings(Closed):
    """Where alerts go. Without a token they are told to the terminal."""

    token: SecretStr | None = Field(None, description="a bot token (xoxb-…) with the scope chat:write")
    token_file: Path | None = Field(None, description="a file that holds the bot token")
    channel: str = Field("#data-freshness", description="where alerts go whose policy names no channel")
    base_url: str = Field(SLACK_API, description="Slack's API; another address for a proxy or for tests")
    timeout_s: int = Field(10, ge=1, le=300, description="seconds that one call of the API may take")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("give token or token_file, not both")
        return self

    def secret(self) -> str:
        """The bot token, or empty if none is given. Raises ConfigError if its file cannot be read."""
        return secret_text(self.token, self.token_file, "slack.token_file") or ""
