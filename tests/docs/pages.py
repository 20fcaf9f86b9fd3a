"""The pages that people read, as blocks that can be checked: what stands in each fence, where, and under which name.

A line that holds nothing but a file's name in backticks names the block below it. A comment `<!-- not run: why -->`
before a block says why it cannot be tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```(\w*)\s*(\S*)\s*$")
_NAME = re.compile(r"^`([\w./-]+)`:?$")
_EXCUSE = re.compile(r"^<!-- not run: (.+?) -->$")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: str
    line: int
    language: str
    word: str
    """What stands behind the language: the format of an event, or nothing."""
    name: str
    """The file that it shows, or empty."""
    excuse: str
    text: str

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page for users."""
    found = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "bench" / "README.md"]
    return sorted([*found, *(ROOT / "examples").glob("*/README.md"), ROOT / "policies" / "README.md"])


def name_of(page: Path) -> str:
    """As people say it."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    inside: Block | None = None
    kept: list[str] = []
    before = ["", ""]
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if inside is None and fence is not None:
            name = next((found[1] for text in before if (found := _NAME.match(text))), "")
            excuse = next((found[1] for text in before if (found := _EXCUSE.match(text))), "")
            inside = Block(name_of(page), number, fence[1], fence[2], name, excuse, "")
            kept = []
        elif inside is not None and line.rstrip() == "```":
            yield Block(**{**inside.__dict__, "text": "\n".join(kept) + "\n"})
            inside, before = None, ["", ""]
        elif inside is not None:
            kept.append(line)
        elif line.strip():
            before = [*before[1:], line.strip()]
    assert inside is None, f"{name_of(page)}: the block that opens at line {inside and inside.line} never ends"


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)


def links(page: Path) -> list[str]:
    """Where a page leads to."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as they stand in links."""
    titles = [found[1] for line in prose(page).splitlines() if (found := _HEADING.match(line))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
