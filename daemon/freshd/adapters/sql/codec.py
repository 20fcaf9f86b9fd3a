"""Records as bytes and back, exactly: what one append wrote is what recovery folds.

A blob says which fields of which dataclass it holds, in order, and then only values. So a field that is
added later takes its default when an older blob is read, one that is gone is passed over, and their order
in the class does not matter. It knows no record by name: the union `Record` and the type hints of its
members say everything. Numbers that are not finite become null, as JSON has none.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, Union, cast, get_args, get_origin, get_type_hints

import orjson
import zstandard

from freshd.adapters.sql.scrub import scrub_json
from freshd.model.errors import PermanentError
from freshd.model.records import Record

COMPRESS_FROM: Final = 1_024
"""Blobs of at least this many bytes are compressed."""

COMPRESS_STATE_FROM: Final = 4_096
"""Rows of the checkpoint of at least this many bytes are compressed; the others can be read by people."""

COMPRESSION_LEVEL: Final = 1

LARGEST_BLOB: Final = 1 << 30
"""Bytes that a blob may have once it is decompressed."""

READERS_KEPT: Final = 64
"""How many different field lists are remembered while reading; a journal has a few."""

Build = Callable[[Any], Any]
"""Makes a value of what JSON kept of it."""

Fields = tuple[tuple[str, tuple[str, ...]], ...]
"""The field names of each dataclass in a blob, in the order of its values."""

_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATACLASS


class RecordCodec:
    """Turns the records of one append into a blob and back; to be used by one thread at a time."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_content_size=True)
        self._decompressor = zstandard.ZstdDecompressor()
        self._readers: dict[Fields, _Reader] = {}
        self._met: set[type] = set()

    def encode(self, records: Sequence[Record]) -> bytes:
        """The records as one blob."""
        self._met.clear()
        named = [(type(record).__name__, record) for record in records]
        try:
            body = orjson.dumps(named, self._plain, _OPTIONS)
        except TypeError:
            body = orjson.dumps(scrub_json(named, self._plain))
        fields = orjson.dumps({kind.__name__: _names(kind) for kind in sorted(self._met, key=lambda k: k.__name__)})
        blob = b'{"fields":%b,"records":%b}' % (fields, body)
        return self._compressor.compress(blob) if len(blob) >= COMPRESS_FROM else blob

    def decode(self, blob: bytes, where: str = "the journal") -> list[Record]:
        """The records of a blob. Raises PermanentError, saying how to mend it, if it cannot be understood."""
        try:
            document = orjson.loads(self._decompressed(blob))
            fields = tuple((name, tuple(names)) for name, names in document["fields"].items())
            reader = self._readers.get(fields)
            if reader is None:
                if len(self._readers) >= READERS_KEPT:
                    self._readers.clear()
                reader = self._readers[fields] = _Reader(fields)
            return [reader.record(name, values) for name, values in document["records"]]
        except (ValueError, TypeError, LookupError, zstandard.ZstdError) as error:
            raise PermanentError(
                f"{where} holds records that this version cannot read ({type(error).__name__}: {error}); start the "
                "version of freshd that wrote them, or restore the store from a backup"
            ) from error

    def encode_state(self, value: Any) -> bytes:
        """The value of a row of the checkpoint, as JSON; a large one compressed."""
        try:
            blob = orjson.dumps(value)
        except TypeError:
            blob = orjson.dumps(scrub_json(value))
        if len(blob) >= COMPRESS_STATE_FROM:
            return self._compressor.compress(blob)
        # A copy of its own size: orjson's result is the shrunken head of an 8 kB buffer, and what it leaves over is
        # memory that 100,000 rows in hand would cost again and again.
        return bytes(memoryview(blob))

    def state_json(self, blob: bytes) -> bytes:
        """A row of the checkpoint as JSON's text."""
        return self._decompressed(bytes(blob))

    def decode_state(self, blob: bytes, where: str) -> Any:
        """The value of a row of the checkpoint. Raises PermanentError if it cannot be understood."""
        try:
            return orjson.loads(self._decompressed(blob))
        except (ValueError, zstandard.ZstdError) as error:
            raise PermanentError(f"{where} is damaged ({error}); restore the store from a backup") from error

    def _decompressed(self, blob: bytes) -> bytes:
        if blob.startswith(_ZSTD_MAGIC):
            return self._decompressor.decompress(blob, max_output_size=LARGEST_BLOB)
        return blob

    def _plain(self, value: Any) -> Any:
        """What JSON is to hold for a value that it has no form for."""
        kind = type(value)
        getter = _GETTERS.get(kind)
        if getter is not None:
            self._met.add(kind)
            return getter(value)
        if isinstance(value, bytes):
            return base64.b64encode(value).decode()
        if isinstance(value, Mapping):
            return dict(value)
        return str(value)


class _Reader:
    """Makes records of values that come in the order that one blob's field lists say."""

    def __init__(self, fields: Fields) -> None:
        self._fields = dict(fields)
        self._builds: dict[str, Build] = {}

    def record(self, name: str, values: Any) -> Any:
        """One record. Raises LookupError or TypeError if it cannot be made."""
        build = self._builds.get(name)
        if build is None:
            if name not in _RECORDS:
                raise LookupError(f"a record of the unknown kind {name}")
            build = self._builds[name] = self._maker(_RECORDS[name])
        return build(values)

    def _maker(self, kind: type) -> Build:
        hints = get_type_hints(kind)
        written = self._fields[kind.__name__]
        parts = [(at, name, self._converter(hints[name])) for at, name in enumerate(written) if name in _names(kind)]

        def make(values: Any) -> Any:
            made = {}
            for at, name, convert in parts:
                value = values[at]
                made[name] = value if convert is None or value is None else convert(value)
            return kind(**made)

        return make

    def _converter(self, hint: Any) -> Build | None:
        """How a value of this type is made of what JSON kept; None: it is already."""
        if dataclasses.is_dataclass(hint):
            kind = cast(type, hint)
            return self._maker(kind) if kind.__name__ in self._fields else None
        if isinstance(hint, type) and issubclass(hint, Enum):
            return {member.value: member for member in hint}.__getitem__
        if hint is bytes:
            return base64.b64decode
        if get_origin(hint) is tuple:
            return self._tuple_converter(get_args(hint))
        if get_origin(hint) in (Union, UnionType):
            found = [made for option in get_args(hint) if option is not NoneType and (made := self._converter(option))]
            if len(found) > 1:
                raise TypeError(f"the members of {hint} cannot be told apart")
            return found[0] if found else None
        return None

    def _tuple_converter(self, parts: tuple[Any, ...]) -> Build:
        if len(parts) == 2 and parts[1] is Ellipsis:
            inner = self._converter(parts[0])
            return tuple if inner is None else lambda values: tuple([inner(value) for value in values])
        inners = [self._converter(part) for part in parts]
        if not any(inners):
            return tuple
        return lambda values: tuple(
            value if inner is None or value is None else inner(value)
            for inner, value in zip(inners, values, strict=True)
        )


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _getter(kind: type) -> Callable[[Any], Any]:
    names = _names(kind)
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _dataclasses_in(hint: Any) -> Iterator[type]:
    if dataclasses.is_dataclass(hint):
        kind = cast(type, hint)
        yield kind
        for inner in get_type_hints(kind).values():
            yield from _dataclasses_in(inner)
    for part in get_args(hint):
        yield from _dataclasses_in(part)


_RECORDS: Final[Mapping[str, type]] = {kind.__name__: kind for kind in get_args(Record)}
_GETTERS: Final = {kind: _getter(kind) for kind in _dataclasses_in(Record)}
