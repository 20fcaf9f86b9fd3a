"""Tables of the pages that are made from the code: `python -m tests.docs.tables` writes them anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.docs import limits_table, metrics_table
from tests.docs.pages import ROOT

BEGIN, END = "<!-- made by python -m tests.docs.tables -->", "<!-- end -->"
TABLES: dict[Path, Callable[[], str]] = {
    ROOT / "docs" / "metrics.md": metrics_table.table,
    ROOT / "docs" / "operations.md": limits_table.table,
}


def written(page: Path) -> tuple[str, str, str]:
    """A page before, within and after the marks of its table."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    within, _, after = rest.partition(END)
    return before, within.strip(), after


if __name__ == "__main__":
    for page, table in TABLES.items():
        begin, _, rest = written(page)
        page.write_text(f"{begin}{BEGIN}\n{table()}\n{END}{rest}", encoding="utf-8")
