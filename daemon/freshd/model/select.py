"""Which assets a selector means: dbt's habits over any asset graph.

A selector is text: atoms joined by commas (all must hold), joined by spaces (any may), each with graph
operators around it (`+x`, `2+x`, `x+`, `x+1`, `@x`). `Selector` answers for one graph, building an index
when the first atom asks for it, so that thousands of policies over 150,000 assets are resolved in
seconds. It must not know what the answer is for: policies, wishes and rules all ask here.
It keeps true: the answer is sorted, without repetition, and the same for the same graph.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from freshd.model.asset import Asset, AssetKey
from freshd.model.graph import AssetGraph

_ATOM = re.compile(
    r"(?P<at>@)?(?P<up>(?P<up_depth>\d*)\+)?(?:(?P<method>[A-Za-z_]\w*):)?(?P<value>.*?)(?P<down>\+(?P<down_depth>\d*))?"
)
_WILD = re.compile(r"[*?\[]")
_TOKEN = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+|["']""")
_COMMA = re.compile(r""",(?=(?:[^"']|"[^"]*"|'[^']*')*$)""")
_LAST_CHARACTER: Final = chr(0x10FFFF)
_QUOTES = str.maketrans("", "", "\"'")
_RELATION_QUOTES = str.maketrans("", "", '"`[]')
METHODS: Final = (
    *("key", "name", "tag", "owner", "group", "source", "package", "path", "file", "kind", "resource_type"),
    *("exposure", "relation", "feed", "policy", "launcher", "unique_id"),
)
"""What may stand before a colon."""


@dataclass(frozen=True, slots=True)
class Atom:
    """One pattern with its graph operators; a depth of None means all the way."""

    method: str
    """Empty: by name or key."""
    value: str
    up: bool = False
    up_depth: int | None = None
    down: bool = False
    down_depth: int | None = None
    at: bool = False
    """`@x`: x, everything below it, and everything that those are made from."""


def parse_selector(expression: str | Sequence[str]) -> tuple[tuple[Atom, ...], ...]:
    """The union of intersections of atoms that an expression writes.

    Raises ValueError that says what is wrong, and what would be right.
    """
    texts = [expression] if isinstance(expression, str) else list(expression)
    tokens = [token for text in texts for token in _TOKEN.findall(text)]
    if not tokens:
        raise ValueError("an empty selector; write * for all assets")
    for token in tokens:
        if token in {'"', "'"}:
            raise ValueError(f"a quotation mark {token} without its other half")
    return tuple(_intersection(token) for token in tokens)


def _intersection(token: str) -> tuple[Atom, ...]:
    parts = _COMMA.split(token)
    if not all(parts):
        raise ValueError(f"a comma in {token!r} has nothing beside it; a,b without spaces is what both select")
    return tuple(_atom(part) for part in parts)


def _atom(text: str) -> Atom:
    match = _ATOM.fullmatch(text)
    value = match["value"].translate(_QUOTES) if match else ""
    if match is None or not value:
        raise ValueError(f"{text!r} names nothing to select")
    method = match["method"] or ""
    if method and method not in METHODS:
        close = get_close_matches(method, METHODS, n=1)
        known = f"did you mean {close[0]}:?" if close else "known are " + ", ".join(sorted(METHODS))
        raise ValueError(f"unknown selector method {method}: in {text!r}; {known}")
    if match["at"] and (match["up"] or match["down"]):
        raise ValueError(f"{text!r} joins @ and +; @x already takes everything below x and all it is made from")
    return Atom(
        method=method,
        value=value,
        up=match["up"] is not None,
        up_depth=int(match["up_depth"]) if match["up_depth"] else None,
        down=match["down"] is not None,
        down_depth=int(match["down_depth"]) if match["down_depth"] else None,
        at=match["at"] is not None,
    )


class Selector:
    """Answers selectors for one graph."""

    def __init__(self, graph: AssetGraph, policies: Mapping[str, tuple[AssetKey, ...]] | None = None) -> None:
        """`policies`: the assets of each policy, for `policy:NAME`."""
        self._graph = graph
        self._policies = policies if policies is not None else {}
        self._tables: dict[str, _Table] = {}
        self._all: tuple[AssetKey, ...] = ()

    def select(self, expression: str | Sequence[str], exclude: str | Sequence[str] = ()) -> tuple[AssetKey, ...]:
        """The assets that an expression selects and `exclude` does not, sorted.

        Raises ValueError with a message for people if either cannot be read.
        """
        if expression in ("*", "**") and not exclude:
            self._all = self._all or tuple(sorted(self._graph.assets))
            return self._all
        chosen = self._union(expression)
        if exclude:
            chosen = chosen - self._union(exclude)
        return tuple(sorted(chosen))

    def _union(self, expression: str | Sequence[str]) -> set[AssetKey]:
        chosen: set[AssetKey] = set()
        for intersection in parse_selector(self._known_keys(expression)):
            sets = [self._of(atom) for atom in intersection]
            found = set.intersection(*sets) if len(sets) > 1 else sets[0]
            chosen = chosen | found if chosen else found
        return chosen

    def _known_keys(self, expression: str | Sequence[str]) -> str | Sequence[str]:
        """A key of the graph stands for itself, whatever characters it has."""
        if isinstance(expression, str) and expression in self._graph and ":" in expression:
            return f'key:"{expression}"'
        return expression

    def _of(self, atom: Atom) -> set[AssetKey]:
        chosen = set(self._matching(atom))
        if atom.at:
            below = chosen | self._walk(chosen, None, self._readers)
            return below | self._walk(below, None, self._upstreams)
        widened = set(chosen) if atom.up and atom.down else chosen
        if atom.up:
            widened |= self._walk(chosen, atom.up_depth, self._upstreams)
        if atom.down:
            widened |= self._walk(chosen, atom.down_depth, self._readers)
        return widened

    def _upstreams(self, key: AssetKey) -> tuple[AssetKey, ...]:
        return self._graph.assets[key].upstreams

    def _readers(self, key: AssetKey) -> tuple[AssetKey, ...]:
        return self._graph.readers.get(key, ())

    def _walk(
        self, start: set[AssetKey], depth: int | None, step: Callable[[AssetKey], tuple[AssetKey, ...]]
    ) -> set[AssetKey]:
        reached, border = set(start), set(start)
        while border and (depth is None or depth > 0):
            border = {there for key in border for there in step(key)} - reached
            reached |= border
            depth = depth - 1 if depth is not None else None
        return reached

    def _matching(self, atom: Atom) -> Iterable[AssetKey]:
        method, value = atom.method, atom.value
        if method == "policy":
            return (key for name in self._policies if _fits(value, name) for key in self._policies[name])
        if method in ("", "key"):
            method = "key" if "/" in value or method == "key" else "name"
        elif method == "relation":
            value = value.translate(_RELATION_QUOTES).lower()
        elif method == "owner":
            value = value.lower()
        elif method == "path":
            return self._under_path(value.removeprefix("./").rstrip("/"))
        elif method == "source":
            value = ".".join(value.split(".")[-2:]) if value.count(".") > 1 else value
            return self._table("source_table" if "." in value else "source").matching(value, "")
        return self._table("kind" if method == "resource_type" else method).matching(
            value, "/" if method == "key" else ""
        )

    def _under_path(self, value: str) -> Iterator[AssetKey]:
        table = self._table("path")
        yield from table.matching(value, "/")
        yield from table.matching(value + "/**", "/")

    def _table(self, method: str) -> _Table:
        table = self._tables.get(method)
        if table is None:
            table = self._tables[method] = _Table(self._graph.assets.values(), _VALUES[method])
        return table


_VALUES: Final[dict[str, Callable[[Asset], Iterable[str]]]] = {
    "key": lambda asset: (asset.key,),
    "name": lambda asset: (asset.name,),
    "tag": lambda asset: asset.tags,
    "owner": lambda asset: [owner.lower() for owner in asset.owners],
    "group": lambda asset: (asset.group,),
    "source": lambda asset: (asset.source_name,),
    "source_table": lambda asset: (f"{asset.source_name}.{asset.name}",) if asset.source_name else (),
    "package": lambda asset: (asset.package,),
    "path": lambda asset: (asset.path,),
    "file": lambda asset: (asset.path.rpartition("/")[2],),
    "kind": lambda asset: (asset.kind,),
    "exposure": lambda asset: (asset.name,) if asset.kind == "exposure" else (),
    "relation": lambda asset: (asset.relation.translate(_RELATION_QUOTES).lower(),),
    "feed": lambda asset: (asset.feed,),
    "launcher": lambda asset: (asset.launcher,),
    "unique_id": lambda asset: (asset.unique_id,),
}


class _Table:
    """Assets by one of their properties; its values are sorted, so that a glob looks only where it may match."""

    def __init__(self, assets: Iterable[Asset], values: Callable[[Asset], Iterable[str]]) -> None:
        self._keys: dict[str, list[AssetKey]] = {}
        for asset in assets:
            for value in values(asset):
                if value:
                    self._keys.setdefault(value, []).append(asset.key)
        self._sorted: list[str] | None = None

    def matching(self, pattern: str, separator: str) -> list[AssetKey]:
        """The assets with a value that fits the glob; its `*` stops at the separator, if there is one."""
        exact = self._keys.get(pattern, [])
        wild = _WILD.search(pattern)
        if wild is None:
            return exact
        if self._sorted is None:
            self._sorted = sorted(self._keys)
        prefix = pattern[: wild.start()]
        low = bisect_left(self._sorted, prefix)
        high = bisect_left(self._sorted, prefix + _LAST_CHARACTER, low) if prefix else len(self._sorted)
        fits = glob_regex(pattern, separator).fullmatch
        return [*exact, *(key for value in self._sorted[low:high] if fits(value) for key in self._keys[value])]


def _fits(pattern: str, text: str) -> bool:
    return pattern == text or glob_regex(pattern, "").fullmatch(text) is not None


def _one_of(inner: str) -> str:
    """What stands in a glob's brackets as a set of a regular expression; `--` and `&&` mean nothing special."""
    none, inner = ("^", inner[1:]) if inner[0] in "!^" else ("", inner)
    inner = re.sub(r"([\\\[&|~])", r"\\\1", inner)
    inner = re.sub(r"^-", r"\\-", re.sub(r"(?<=.)--", r"-\\-", inner))
    return f"[{none}{inner}]"


@lru_cache(maxsize=4096)
def glob_regex(pattern: str, separator: str = "/") -> re.Pattern[str]:
    """A glob as a regular expression: `*` and `?` stay within one segment, `**` crosses them.

    `a/**` is everything below a; `a/**/b` also a/b. Without a separator every `*` matches anything.
    """
    within = f"[^{re.escape(separator)}]" if separator else "."
    out: list[str] = []
    at = 0
    while at < len(pattern):
        rest = pattern[at:]
        if separator and rest.startswith("**" + separator) and (at == 0 or pattern[at - 1] == separator):
            out.append(f"(?:.*{re.escape(separator)})?")
            at += 3
        elif rest.startswith("**"):
            out.append(".+" if separator and at and pattern[at - 1] == separator else ".*")
            at += 2
        elif rest[0] == "*":
            out.append(within + "*")
            at += 1
        elif rest[0] == "?":
            out.append(within)
            at += 1
        elif rest[0] == "[" and (end := rest.find("]", 2)) > 0:
            out.append(_one_of(rest[1:end]))
            at += end + 1
        else:
            out.append(re.escape(rest[0]))
            at += 1
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern))
