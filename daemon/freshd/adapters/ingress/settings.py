"""One entry of the `ingress:` section of freshd.yaml: a webhook, its format, and how its sender shows who it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from pydantic import Field, SecretStr, model_validator

from freshd.adapters.access import is_loopback
from freshd.documents import Closed
from freshd.model.errors import Problem

BODY_LIMIT: Final = 1024 * 1024
"""Bytes that a request may carry unless its entry says otherwise."""

LARGEST_BODY_LIMIT: Final = 16 * 1024 * 1024

SIGNED_FORMATS: Final = ("dbt", "fivetran")
"""Formats whose senders sign what they send."""

LINEAGE_PATH: Final = "/api/v1/lineage"
"""Where OpenLineage clients post unless they are told otherwise."""

RESERVED: Final = ("/", "/events", "/healthz", "/readyz", "/metrics")

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_PATH = re.compile(r"(/[A-Za-z0-9_.~-]+)+")


class IngressSettings(Closed):
    """POST /events/NAME, in a format. Of the secrets, all that are given must be shown."""

    format: str
    secret: SecretStr | None = Field(default=None, description="the key with which the sender signs (Fivetran, dbt)")
    secret_file: Path | None = None
    bearer: SecretStr | None = Field(default=None, description="sent as Authorization: Bearer …")
    bearer_file: Path | None = None
    url_token: SecretStr | None = Field(
        default=None, description="the last segment of the URL, for senders that can nothing else"
    )
    url_token_file: Path | None = None
    path: str = Field(default="", description="where it is posted as well, if the sender cannot choose")
    max_body_bytes: int = Field(default=BODY_LIMIT, ge=1_024, le=LARGEST_BODY_LIMIT)

    @property
    def guarded(self) -> bool:
        """Whether anything must be shown at all."""
        return any((self.secret, self.secret_file, self.bearer, self.bearer_file, self.url_token, self.url_token_file))

    @property
    def in_url(self) -> bool:
        """Whether the URL ends in a token."""
        return self.url_token is not None or self.url_token_file is not None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name in ("secret", "bearer", "url_token"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"write {name} or {name}_file, not both")
        if (self.secret or self.secret_file) and self.format not in SIGNED_FORMATS:
            raise ValueError(
                f"senders of {self.format} do not sign; use bearer_file or url_token_file instead of a secret"
            )
        if self.path and not _PATH.fullmatch(self.path):
            raise ValueError(f"path {self.path!r} is not one; write it like /api/v1/lineage")
        return self


def paths_of(entries: Mapping[str, IngressSettings]) -> dict[str, tuple[str, ...]]:
    """Where each entry is posted to, by its name: its own path, /events/NAME, and the first of OpenLineage where its
    clients post by themselves, unless an entry says that this is its path.
    """
    taken = {entry.path for entry in entries.values()}
    paths: dict[str, tuple[str, ...]] = {}
    for name, entry in entries.items():
        own = entry.path
        if entry.format == "openlineage" and not own and LINEAGE_PATH not in taken:
            own = LINEAGE_PATH
            taken.add(own)
        paths[name] = (*filter(None, (own,)), f"/events/{name}")
    return paths


def ingress_problems(
    entries: Mapping[str, IngressSettings], listen: str, has_token: bool, where: str = "freshd.yaml"
) -> list[Problem]:
    """What is wrong with the entries together: names, paths, and doors that would stand open beyond this machine.

    `listen` is HOST:PORT of the server; `has_token`: whether `api.token` guards POST /events.
    """
    problems: list[Problem] = []
    taken = dict.fromkeys(RESERVED, "freshd itself")
    for name, entry in entries.items():
        if not _NAME.fullmatch(name):
            problems.append(Problem(where, f"ingress.{name}: a name becomes part of a URL; use letters, digits, - _ ."))
        for path in filter(None, (f"/events/{name}", entry.path)):
            if path in taken:
                problems.append(
                    Problem(where, f"ingress.{name}: {path} is taken by {taken[path]}; choose another path")
                )
            taken[path] = f"ingress.{name}"
    if is_loopback(listen):
        return problems
    mend = "or listen on 127.0.0.1"
    if not has_token:
        text = (
            f"listen: {listen} is reached from other machines, so that anybody could write; set api.token_file, {mend}"
        )
        problems.append(Problem(where, text))
    for name, entry in entries.items():
        if not entry.guarded:
            ways = (
                "secret_file, bearer_file or url_token_file"
                if entry.format in SIGNED_FORMATS
                else "bearer_file or url_token_file"
            )
            text = f"ingress.{name}: on {listen} takes events from anybody; set {ways}, {mend}"
            problems.append(Problem(where, text))
    return problems
