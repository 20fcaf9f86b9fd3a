"""The shop's database and the two connectors that load it: what feeds the demo.

Every few seconds people order something, and the connector `shop_orders` extracts the orders into
data/shop/raw_orders.parquet and says so by a signed Fivetran webhook; `shop_stores` does the same for
the stores. For a while, by design, `shop_orders` goes silent: people go on ordering, nobody loads it.

    python loader.py                     posts to http://127.0.0.1:8765/events/fivetran until stopped
    from loader import Feeding, feed     the same, with other times, or another way to deliver
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import random
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
PRODUCTS = ("espresso", "grinder", "filter", "cup")
STATUSES = ("paid", "paid", "paid", "sent", "cancelled")
REGIONS = {1: "north", 2: "north", 3: "south", 4: "west"}
DELIVERY_ATTEMPTS = 5
DELIVERY_TIMEOUT_S = 5.0

Deliver = Callable[[bytes, dict[str, str]], None]
"""Hands over one webhook: body and headers. Raises OSError if it was not taken."""
Say = Callable[[str], None]


@dataclass
class Feeding:
    """How the shop lives. Times in seconds; `silent_from` counts from the start, inf: never silent."""

    landing: Path = HERE / "data"
    database: Path = HERE / "data" / "source.db"
    orders_every_s: float = 3.0
    stores_every_s: float = 5.0
    silent_from_s: float = 18.0
    silent_for_s: float = 20.0
    orders_a_sync: int = 25
    seed: int = 7
    deliver: Deliver | None = None
    """None: posted to `url`, signed with `secret`."""
    url: str = "http://127.0.0.1:8765/events/fivetran"
    secret: str = ""
    say: Say = print
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.secret = self.secret or (HERE / "fivetran.secret").read_text().strip()
        self.database.parent.mkdir(parents=True, exist_ok=True)

    def is_silent(self, passed_s: float) -> bool:
        """Whether the connector of the orders is down, this long after the start."""
        return self.silent_from_s <= passed_s < self.silent_from_s + self.silent_for_s


def feed(feeding: Feeding, stop: threading.Event) -> None:
    """Let the shop live until `stop` is set; returns soon after. A daemon that is not there is waited for."""
    with closing(sqlite3.connect(feeding.database)) as shop:
        _open_shop(shop)
        began = time.monotonic()
        next_orders = next_stores = 0.0
        was_silent = False
        while not stop.is_set():
            passed = time.monotonic() - began
            silent = feeding.is_silent(passed)
            if silent != was_silent:
                feeding.say("the connector shop_orders " + ("goes silent" if silent else "is back"))
                was_silent, next_orders = silent, passed
            if passed >= next_stores:
                _sync(feeding, shop, "stores", stop)
                next_stores = passed + feeding.stores_every_s
            if passed >= next_orders:
                _people_order(feeding, shop)
                next_orders = passed + feeding.orders_every_s
                if not silent:
                    _sync(feeding, shop, "orders", stop)
            stop.wait(max(0.05, min(next_orders, next_stores) - (time.monotonic() - began)))


def _open_shop(shop: sqlite3.Connection) -> None:
    shop.execute(
        "create table if not exists orders (order_id integer, product text, store_id integer, amount real, status text,"
        " changed_at text)"
    )
    shop.execute("create table if not exists stores (store_id integer primary key, region text)")
    shop.executemany("insert or replace into stores values (?, ?)", REGIONS.items())
    shop.commit()


def _people_order(feeding: Feeding, shop: sqlite3.Connection) -> None:
    first = shop.execute("select coalesce(max(order_id), 0) + 1 from orders").fetchone()[0]
    chance = feeding._random
    shop.executemany(
        "insert into orders values (?, ?, ?, ?, ?, ?)",
        [
            (
                max(1, first + number - chance.choice((0, 0, 0, 3))),  # some are changes of earlier orders
                chance.choice(PRODUCTS),
                chance.choice(list(REGIONS)),
                round(chance.uniform(3, 300), 2),
                chance.choice(STATUSES),
                _now(),
            )
            for number in range(feeding.orders_a_sync)
        ],
    )
    shop.commit()


def _sync(feeding: Feeding, shop: sqlite3.Connection, table: str, stop: threading.Event) -> None:
    """What a connector does: extract a table, put it in place, tell."""
    frame = pd.read_sql_query(f"select * from {table}", shop)
    target = feeding.landing / "shop" / f"raw_{table}.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    frame.to_parquet(draft)
    draft.replace(target)
    body = sync_end(f"shop_{table}")
    headers = {"Content-Type": "application/json", "X-Fivetran-Signature-256": signature(body, feeding.secret)}
    deliver = feeding.deliver or (lambda body, headers: post(feeding.url, body, headers))
    for attempt in range(1, DELIVERY_ATTEMPTS + 1):
        try:
            deliver(body, headers)
        except OSError as error:
            if attempt == DELIVERY_ATTEMPTS:
                feeding.say(f"the webhook of shop_{table} was not delivered: {error}")
            stop.wait(0.2 * attempt)
            continue
        feeding.say(f"shop_{table} synced: {len(frame)} rows")
        return


def sync_end(connector: str) -> bytes:
    """The body of Fivetran's webhook for a sync that has succeeded."""
    body = {
        "event": "sync_end",
        "created": _now(),
        "connector_type": "postgres",
        "connector_id": connector,
        "connector_name": connector,
        "sync_id": str(uuid.uuid4()),
        "destination_group_id": "shop_warehouse",
        "data": {"status": "SUCCESSFUL"},
    }
    return json.dumps(body).encode()


def signature(body: bytes, secret: str) -> str:
    """As Fivetran signs: HMAC-SHA256 of the raw body, in hexadecimal."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().upper()


def post(url: str, body: bytes, headers: dict[str, str]) -> None:
    """Post a webhook. Raises OSError unless it was accepted."""
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=DELIVERY_TIMEOUT_S) as answer:
        answer.read()


def make_topic(address: str, topic: str) -> None:
    """Make a Kafka topic, if it is not there."""
    from kafka.admin import KafkaAdminClient, NewTopic
    from kafka.errors import TopicAlreadyExistsError

    admin = KafkaAdminClient(bootstrap_servers=address)
    with suppress(TopicAlreadyExistsError):
        admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    admin.close()


def producing(address: str, topic: str) -> Deliver:
    """Deliver to a Kafka topic."""
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

    producer = KafkaProducer(bootstrap_servers=address)

    def deliver(body: bytes, headers: dict[str, str]) -> None:
        try:
            producer.send(topic, body).get(timeout=DELIVERY_TIMEOUT_S)
        except KafkaError as error:
            raise OSError(f"Kafka at {address} did not take it: {error}") from error

    return deliver


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default=Feeding.url)
    parser.add_argument("--kafka", default="", help="a broker's address: produce to --topic instead of posting")
    parser.add_argument("--topic", default="fivetran.events")
    parser.add_argument("--make-topic", action="store_true", help="only make the topic")
    parser.add_argument("--landing", type=Path, default=HERE / "data")
    parser.add_argument("--database", type=Path, default=None)
    parser.add_argument("--every", type=float, default=3.0, help="seconds between syncs of the orders")
    parser.add_argument("--silent-from", type=float, default=18.0, help="seconds after the start")
    parser.add_argument("--silent-for", type=float, default=20.0, help="seconds; 0: never")
    given = parser.parse_args()
    if given.make_topic:
        make_topic(given.kafka, given.topic)
        return
    feeding = Feeding(
        landing=given.landing,
        database=given.database or given.landing / "source.db",
        orders_every_s=given.every,
        silent_from_s=given.silent_from,
        silent_for_s=given.silent_for,
        deliver=producing(given.kafka, given.topic) if given.kafka else None,
        url=given.url,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    with suppress(KeyboardInterrupt):
        feed(feeding, threading.Event())


if __name__ == "__main__":
    main()
