"""Records come back from their bytes exactly, also from those of an older or newer version."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freshd.adapters.sql.codec import COMPRESS_FROM, RecordCodec
from freshd.model.errors import PermanentError
from freshd.model.inputs import DeadLetter, Event, EventKind, Unmatched
from freshd.model.records import DeadLettered, EventTaken, IncidentChanged, Member, Record, UnmatchedSeen
from freshd.model.time import FOREVER, NEVER

KINDS: tuple[type, ...] = get_args(Record)
INTS = st.integers(-(1 << 63), (1 << 63) - 1) | st.sampled_from([NEVER, FOREVER])
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | INTS | FLOATS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a field of this type; a type that is not known here fails, so that no new one is forgotten."""
    if dataclasses.is_dataclass(hint):
        return records(hint)  # type: ignore[arg-type]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    if hint in (str, int, float, bool, bytes, Any, NoneType):
        simple = {str: st.text(), int: INTS, float: FLOATS, bool: st.booleans(), bytes: st.binary(), Any: JSON}
        return {**simple, NoneType: st.none()}[hint]
    origin, parts = get_origin(hint), get_args(hint)
    if origin is tuple:
        if parts[-1] is Ellipsis:
            return st.lists(values(parts[0]), max_size=3).map(tuple)
        return st.tuples(*map(values, parts))
    if origin in (Union, UnionType):
        return st.one_of(*map(values, parts))
    if origin is Mapping:
        return st.dictionaries(st.text(), values(parts[1]), max_size=3)
    raise AssertionError(f"no values for {hint}")


def records(kind: type) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: values(hints[field.name]) for field in dataclasses.fields(kind)})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_record_comes_back_exactly(kind: type) -> None:
    @settings(max_examples=30, deadline=None)
    @given(records(kind))
    def check(record: Any) -> None:
        codec = RecordCodec()
        (back,) = codec.decode(codec.encode([record]))
        assert type(back) is kind
        assert repr(back) == repr(record)  # so 1, 1.0 and True, and tuples and lists, are told apart

    check()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(KINDS).flatmap(records), max_size=8))
def test_mixed_records_come_back_in_order(mixed: list[Any]) -> None:
    codec = RecordCodec()
    assert codec.decode(codec.encode(mixed)) == mixed


def test_large_blobs_are_compressed_and_small_ones_are_plain() -> None:
    codec = RecordCodec()
    event = EventTaken(1, Event(EventKind.UPDATE, ("a",), 1, metadata={"note": "x" * 10_000}))
    assert len(codec.encode([event])) < COMPRESS_FROM
    assert codec.decode(codec.encode([event])) == [event]
    assert codec.encode([]).startswith(b"{")


def rewritten(blob: bytes, change: Any) -> bytes:
    document = orjson.loads(blob)
    change(document)
    return orjson.dumps(document)


def test_a_field_added_later_takes_its_default() -> None:
    codec = RecordCodec()
    event = EventTaken(7, Event(EventKind.UPDATE, ("a",), 5, run_id="r", whole_run=True))

    def forget_run_id(document: Any) -> None:
        at = document["fields"]["Event"].index("run_id")
        del document["fields"]["Event"][at], document["records"][0][1][1][at]

    back = codec.decode(rewritten(codec.encode([event]), forget_run_id))
    assert back == [dataclasses.replace(event, event=dataclasses.replace(event.event, run_id=""))]


def test_a_field_that_is_gone_and_another_order_are_read() -> None:
    codec = RecordCodec()
    event = EventTaken(7, Event(EventKind.CHECK, ("a",), 5))

    def turn_round(document: Any) -> None:
        document["fields"]["EventTaken"] = ["gone", "event", "now"]
        document["records"][0][1] = [{"any": "thing"}, document["records"][0][1][1], 7]

    assert codec.decode(rewritten(codec.encode([event]), turn_round)) == [event]


def test_blobs_that_differ_in_a_nested_class_alone_are_kept_apart() -> None:
    codec = RecordCodec()
    member = Member("p", "a", "", "stale", "a", "no_update", 1, 1)
    record = IncidentChanged(1, "i", "a", "no_update", None, 1, None, 0, 1, (member,), (("p", "b", ""),))
    plain = codec.encode([record])
    assert codec.decode(plain) == [record]

    def other_order(document: Any) -> None:
        document["fields"]["Member"].reverse()
        document["records"][0][1][9][0].reverse()

    assert codec.decode(rewritten(plain, other_order)) == [record]
    assert codec.decode(plain) == [record]


@pytest.mark.parametrize(
    ("blob", "what"),
    [
        (b"not json", "JSONDecodeError"),
        (b"\x28\xb5\x2f\xfdbroken", "ZstdError"),
        (b'{"fields":{},"records":[["Later",[1]]]}', "unknown kind Later"),
        (b'{"fields":{"EventTaken":["now"]},"records":[["EventTaken",[1]]]}', "event"),
        (b'{"fields":{"DaemonCaughtUp":["now"]},"records":[["DaemonCaughtUp",[]]]}', "IndexError"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place_and_what_to_do(blob: bytes, what: str) -> None:
    with pytest.raises(PermanentError, match="step 7 holds records") as caught:
        RecordCodec().decode(blob, "step 7")
    assert what in str(caught.value)
    assert "restore" in str(caught.value)


def test_what_json_cannot_hold_is_made_readable_instead_of_stopping_the_daemon() -> None:
    codec = RecordCodec()
    deep: Any = "bottom"
    for _ in range(900):
        deep = [deep]
    metadata: Any = {1: "number", "lone": "a\ud800b", "nul": "\x00", "huge": 1 << 70, "object": object, "deep": deep}
    (back,) = codec.decode(codec.encode([EventTaken(1, Event(EventKind.UPDATE, ("a",), 1, metadata=metadata))]))
    assert isinstance(back, EventTaken)
    assert back.event.metadata is not None
    assert back.event.metadata["1"] == "number"
    assert back.event.metadata["huge"] == str(1 << 70)
    assert "\ud800" not in back.event.metadata["lone"]


def test_mappings_of_any_kind_and_raw_bytes_are_taken() -> None:
    codec = RecordCodec()
    given_records = [
        UnmatchedSeen(1, Unmatched("fivetran", "x", MappingProxyType({"a": "b"}), 1)),
        DeadLettered(1, DeadLetter("t/0/1", "not_json", "no", bytes(range(256)))),
    ]
    assert codec.decode(codec.encode(given_records)) == given_records
