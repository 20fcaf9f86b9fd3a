"""Modules of `@asset` functions: read by another process, with upstreams from parameter names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from freshd.adapters.catalog import Catalog, PythonEntry, load_catalog
from freshd.model.asset import PartitionScheme
from freshd.model.errors import ConfigError
from freshd.model.graph import build_graph

SHOP = '''
from __future__ import annotations
import sys
from freshd import asset

print("noise on stdout")

@asset(key_prefix="shop", group="sales", owners=["sales@shop.example"], tags=["tier1"], metadata={"tier": 1})
def orders() -> "pd.DataFrame":
    """Orders, cleaned."""

@asset(deps=["shop/other"], partitions={"by": "day", "start": "2026-01-01"}, launcher="special")
def by_region(orders: "pd.DataFrame", lookup: "pd.DataFrame", top: int = 10) -> "pd.DataFrame":
    """Revenue per region."""

@asset(key="shop/lookup", relation="wh.shop.lookup")
def anything(): ...

@asset(upstreams={"frame": "shop/orders"})
def other(frame): ...
'''


def load(folder: Path, source: str, module: str = "things", prefix: str = "shop") -> Catalog:
    (folder / f"{module}.py").write_text(source)
    return load_catalog([PythonEntry(python=module, prefix=prefix)], folder)


def test_what_decorated_functions_declare(tmp_path: Path) -> None:
    found = {asset.key: asset for asset in load(tmp_path, SHOP).assets}
    assert list(found) == ["shop/orders", "shop/by_region", "shop/lookup", "shop/other"]
    orders, by_region = found["shop/orders"], found["shop/by_region"]
    assert (orders.group, orders.owners, orders.tags) == ("sales", ("sales@shop.example",), ("tier1",))
    assert (orders.description, orders.kind, orders.launcher) == ("Orders, cleaned.", "python", "python")
    assert orders.origin == "things.py:8"
    assert by_region.upstreams == ("shop/orders", "shop/lookup", "shop/other")
    assert by_region.partitions is not None and isinstance(by_region.partitions, PartitionScheme)
    assert by_region.launcher == "special"
    assert by_region.hints["module"] == "things" and by_region.hints["function"] == "by_region"
    assert by_region.hints["inputs"] == {"orders": "shop/orders", "lookup": "shop/lookup"}
    assert found["shop/lookup"].relation == "wh.shop.lookup"
    assert found["shop/other"].upstreams == ("shop/orders",)
    build_graph(found.values())


def test_functions_say_which_partitions_they_read(tmp_path: Path) -> None:
    source = """
from freshd import asset

@asset(partitions={"by": "day"})
def days(): ...

@asset(partitions={"by": "week"}, mappings={"days": "window", "shop/more": {"last": 2}}, deps=["shop/more"])
def weeks(days): ...

@asset(partitions={"by": "day"})
def more(): ...
"""
    found = {asset.key: asset for asset in load(tmp_path, source).assets}
    assert dict(found["shop/weeks"].mappings) == {"shop/days": "window", "shop/more": {"last": 2}}


def test_functions_of_imported_submodules_belong_to_the_package(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("from pack import inner\n")
    (tmp_path / "pack" / "inner.py").write_text("from freshd import asset\n@asset\ndef a(): ...\n")
    found = load_catalog([PythonEntry(python="pack", prefix="p")], tmp_path)
    assert [asset.key for asset in found.assets] == ["p/a"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import nope_nope\n", "things.py:1: the module things cannot be read: ModuleNotFoundError"),
        ("\n\ndef f(:\n", "things.py:3: the module things cannot be read: SyntaxError"),
        ("\nraise ValueError('boom')\n", "things.py:2: the module things cannot be read: ValueError: boom"),
        ("import sys\nsys.exit(3)\n", "things.py:2: the module things cannot be read: SystemExit: 3"),
        ("import os\nos._exit(4)\n", "python: things: its import ended with status 4"),
        ("x = 1\n", "python: things: no function in it is an asset"),
        (
            "from freshd import asset\n@asset\ndef f(*args): ...\n",
            "things.py:2: the module things cannot be read: TypeError",
        ),
        (
            "from freshd import asset\n@asset\ndef f(gone): ...\n",
            "things.py:2: asset shop/f has an unknown upstream: shop/f <- shop/gone",
        ),
        (
            "from freshd import asset\n@asset(partitions={'by': 'dya'})\ndef f(): ...\n",
            "things.py:2: partitions.by: should be 'hour'",
        ),
        (
            "from freshd import asset\n@asset(partitions={'by': 'day'})\ndef d(): ...\n"
            "@asset(partitions={'by': 'week'})\ndef w(d): ...\n",
            "things.py:4: asset shop/w, upstream shop/d: partitions by week (UTC) from partitions by day (UTC) needs a "
            "mapping; write {key: shop/d, mapping: window}",
        ),
        (
            "from freshd import asset\n@asset\ndef d(): ...\n@asset(mappings={'e': 'all'})\ndef w(d): ...\n",
            "mappings names 'e', which is no upstream of it",
        ),
        (
            "from freshd import asset\n@asset(key='a b')\ndef f(): ...\n",
            "things.py:2: key: 'a b' cannot be an asset's key",
        ),
        (
            "from freshd import asset\n@asset\ndef f(): ...\n@asset(key='shop/f')\ndef g(): ...\n",
            "things.py:4: asset shop/f is declared twice, first at things.py:2",
        ),
    ],
)
def test_failures_are_told_with_file_and_line(tmp_path: Path, source: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, source)
    assert told in str(caught.value)


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"python: gone\.assets: .*there is no module gone in"):
        load_catalog([PythonEntry(python="gone.assets")], tmp_path)
    with pytest.raises(ConfigError, match="cannot be imported from"):
        load_catalog([PythonEntry(python="gone", path="nowhere")], tmp_path)


def test_reading_a_module_leaves_this_process_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "heavy.py").write_text("import pandas\nfrom freshd import asset\n@asset\ndef a(): ...\n")
    script = (
        "import sys; from pathlib import Path; from freshd.adapters.catalog import PythonEntry, load_catalog; "
        f"found = load_catalog([PythonEntry(python='heavy')], Path({str(tmp_path)!r})); "
        "print([a.key for a in found.assets], 'pandas' in sys.modules, 'heavy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['a'] False False"
