"""What of the chart is generated: values.schema.json, and the table of values in its README.

The schema's `config` is that of the daemon's own settings, so that Helm refuses what the daemon would refuse, with
the key named. The rest follows values.yaml: a key has the type of its default, and what Kubernetes reads is left to
Kubernetes. Secrets in plain text are no part of it: a ConfigMap is no place for them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from helm.chart.readme import table
from helm.chart.schema import values_schema

CHART: Final = Path(__file__).parents[1] / "freshd"


def made() -> dict[Path, str]:
    """Every generated file of the chart, by its place."""
    values = (CHART / "values.yaml").read_text(encoding="utf-8")
    readme = CHART / "README.md"
    return {
        CHART / "values.schema.json": json.dumps(values_schema(values), indent=2, ensure_ascii=False) + "\n",
        readme: with_table(readme.read_text(encoding="utf-8"), table(values)),
    }


def with_table(text: str, rows: str) -> str:
    """A README with the table of values between its two marks."""
    begin, end = "<!-- values: made by make lint -->\n", "<!-- end of values -->"
    before, _, rest = text.partition(begin)
    return f"{before}{begin}{rows}{end}{rest.partition(end)[2]}"
