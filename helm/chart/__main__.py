"""Writes the generated files of the chart: `make lint` runs it."""

from __future__ import annotations

from helm.chart import made

if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
