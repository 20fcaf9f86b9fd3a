"""Plays a connector: lands new rows of a source as Parquet, then says so by a signed Fivetran webhook.

python sync.py all --quiet           lands both sources, tells nobody: for the first `dbt build`
python sync.py shop                  orders and customers
python sync.py payments              charges
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import random
import urllib.request
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).parent
ROWS = 200


def land(source: str, folder: Path) -> None:
    """New rows of a source, each table in place at once."""
    chance = random.Random()
    orders = range(1, ROWS + 1)
    tables: dict[str, dict[str, dict[str, Any]]] = {
        "shop": {
            "customers": {"customer_id": range(20), "country": [chance.choice(("DE", "FR", "GB")) for _ in range(20)]},
            "orders": {
                "order_id": orders,
                "customer_id": [chance.randrange(20) for _ in orders],
                "amount": [round(chance.uniform(5, 500), 2) for _ in orders],
            },
        },
        "payments": {
            "charges": {
                "charge_id": orders,
                "order_id": orders,
                "paid": [round(chance.uniform(0, 500), 2) for _ in orders],
            }
        },
    }
    for name, columns in tables[source].items():
        target = folder / source / f"{name}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_suffix(".draft")
        pd.DataFrame(columns).assign(loaded_at=datetime.now(UTC)).to_parquet(draft)
        draft.replace(target)


def tell(source: str, url: str, secret: str) -> None:
    """Fivetran's webhook for a sync that has succeeded. Raises OSError unless it was accepted."""
    event = {
        "event": "sync_end",
        "created": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "connector_type": "postgres",
        "connector_id": f"{source}_connector",
        "connector_name": source,
        "sync_id": str(uuid.uuid4()),
        "destination_group_id": "shop_warehouse",
        "data": {"status": "SUCCESSFUL"},
    }
    body = json.dumps(event).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().upper()
    headers = {"Content-Type": "application/json", "X-Fivetran-Signature-256": signature}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
        answer.read()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", choices=("shop", "payments", "all"))
    parser.add_argument("--quiet", action="store_true", help="land the rows, tell nobody")
    parser.add_argument("--landing", type=Path, default=HERE / "landing")
    parser.add_argument("--url", default="http://127.0.0.1:8765/events/fivetran")
    given = parser.parse_args()
    for source in ("shop", "payments") if given.source == "all" else (given.source,):
        land(source, given.landing)
        if not given.quiet:
            tell(source, given.url, (HERE / "fivetran.secret").read_text().strip())


if __name__ == "__main__":
    main()
