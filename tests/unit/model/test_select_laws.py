"""Selectors obey the laws of sets over any graph: what people may rewrite without meaning something else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from freshd.model.asset import Asset
from freshd.model.graph import AssetGraph, build_graph
from freshd.model.select import Atom, Selector, parse_selector

TAGS = ("one", "two", "three")


@st.composite
def graphs(draw: st.DrawFn) -> AssetGraph:
    assets: list[Asset] = []
    for n in range(draw(st.integers(1, 9))):
        above = [asset.key for asset in assets]
        ups = draw(st.lists(st.sampled_from(above), max_size=3, unique=True)) if above else []
        tags = draw(st.lists(st.sampled_from(TAGS), max_size=2, unique=True))
        assets.append(Asset(f"{draw(st.sampled_from('ab'))}/m{n}", tuple(ups), tags=tuple(tags)))
    return build_graph(assets)


values = st.one_of(
    st.sampled_from(["*", "a/*", "b/*", "m1", "m2", "m[0-3]", "m?", "nothing"]),
    st.sampled_from([f"tag:{tag}" for tag in (*TAGS, "t*", "no")]),
)
depths = st.sampled_from(["", "1", "2", "3"])
atoms = st.one_of(
    values,
    values.map("@{}".format),
    st.tuples(depths, values).map(lambda drawn: f"{drawn[0]}+{drawn[1]}"),
    st.tuples(values, depths).map(lambda drawn: f"{drawn[0]}+{drawn[1]}"),
    st.tuples(depths, values, depths).map(lambda drawn: f"{drawn[0]}+{drawn[1]}+{drawn[2]}"),
)
intersections = st.lists(atoms, min_size=1, max_size=3).map(",".join)
expressions = st.lists(intersections, min_size=1, max_size=3).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(graphs(), expressions, expressions, expressions)
def test_union_and_exclusion_are_those_of_sets(graph: AssetGraph, one: str, two: str, three: str) -> None:
    selector = Selector(graph)
    a, b, c = (set(selector.select(text)) for text in (one, two, three))
    assert set(selector.select(f"{one} {two}")) == set(selector.select([two, one])) == a | b
    assert set(selector.select(f"{one} {one}")) == a
    assert set(selector.select(one, exclude=two)) == a - b
    assert set(selector.select(f"{one} {two}", exclude=three)) == (a | b) - c
    assert set(selector.select(one, exclude=[two, three])) == set(selector.select(one, exclude=two)) - c
    assert selector.select(one, exclude="*") == selector.select("*", exclude="*") == ()
    assert a <= set(selector.select("*")) == set(graph.assets)


@settings(max_examples=150, deadline=None)
@given(graphs(), atoms, atoms, atoms)
def test_intersection_is_that_of_sets(graph: AssetGraph, one: str, two: str, three: str) -> None:
    selector = Selector(graph)
    a, b, c = (set(selector.select(text)) for text in (one, two, three))
    assert set(selector.select(f"{one},{two}")) == set(selector.select(f"{two},{one}")) == a & b
    assert set(selector.select(f"{one},{one}")) == a
    assert set(selector.select(f"{one},{two} {one},{three}")) == a & (b | c)
    assert set(selector.select(f"{one},{two},{three}")) == a & b & c


@settings(max_examples=150, deadline=None)
@given(graphs(), values, values, st.integers(0, 9))
def test_what_is_above_and_below_only_grows(graph: AssetGraph, one: str, two: str, depth: int) -> None:
    """With depth, with what is selected; and walking on from what was reached reaches nothing else."""
    selector = Selector(graph)

    def of(text: str) -> set[str]:
        return set(selector.select(text))

    for up, down in (("+", ""), ("", "+")):
        assert of(one) <= of(f"{up}{one}{down}")
        assert of(f"{up}{one}{down} {up}{two}{down}") == of(f"{up}{one}{down}") | of(f"{up}{two}{down}")
    assert of(f"{depth}+{one}") <= of(f"{depth + 1}+{one}") <= of(f"+{one}")
    assert of(f"{one}+{depth}") <= of(f"{one}+{depth + 1}") <= of(f"{one}+")
    assert of(f"{len(graph.assets)}+{one}") == of(f"+{one}")
    assert of(f"+{one}+") == of(f"+{one}") | of(f"{one}+")
    assert of(f"+{one} {one}+") <= of(f"@{one}")
    for key in of(one):
        assert all(key in of(f"key:{above}+") for above in of(f"+key:{key}")), "x is below all that is above it"
        step_by_step = {key}.union(*(of(f"{depth}+key:{up}") for up in graph.assets[key].upstreams))
        assert of(f"{depth + 1}+key:{key}") == step_by_step, "one step further than those above it"
        assert of(f"0+key:{key}") == of(f"key:{key}+0") == {key}
    above = of(f"+{one}")
    assert all(set(graph.assets[key].upstreams) <= above for key in above), "closed: nothing above it is left out"


def written(atom: Atom) -> str:
    """The atom as a person would write it."""

    def depth(bound: int | None) -> str:
        return "" if bound is None else str(bound)

    up = f"{depth(atom.up_depth)}+" if atom.up else ""
    down = f"+{depth(atom.down_depth)}" if atom.down else ""
    method = f"{atom.method}:" if atom.method else ""
    return f"{'@' if atom.at else ''}{up}{method}{atom.value}{down}"


@settings(max_examples=200, deadline=None)
@given(expressions)
def test_what_was_read_can_be_written_and_read_again(text: str) -> None:
    parsed = parse_selector(text)
    again = " ".join(",".join(written(atom) for atom in intersection) for intersection in parsed)
    assert parse_selector(again) == parsed
    assert again == " ".join(text.split()), "nothing of it was left out"
