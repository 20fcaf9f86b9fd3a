"""A python asset: read the upstreams' Parquet, call the function, put its result in place.

Inputs are whole files, the result replaces the old file at once, so a reader sees either. The start
that counts is before the first input is read.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .supervise import SHOWN_OUTPUT, Tell, now

SHOWN_COLUMNS = 1_000
"""Characters of the columns' names noted, at most."""


def warm(options: dict[str, Any]) -> None:
    """Import what every run needs, so that none pays for it."""
    for name in options["preload"]:
        importlib.import_module(name)
    _find_freshd(options["freshd"])
    if "pandas" in sys.modules and "pyarrow.parquet" in sys.modules:
        _rehearse()
    for name in options["env_for_import"]:  # one thread while it forks; the runs may use what they like
        os.environ.pop(name, None)


def _find_freshd(path: str) -> None:
    """The assets' modules import freshd; an interpreter that does not have it takes the daemon's, last of all."""
    try:
        importlib.import_module("freshd.assets")
    except ImportError:
        sys.path.append(path)
        importlib.import_module("freshd.assets")


def _rehearse() -> None:
    """Write and read a small table, so that what the libraries do on first use is done; without their threads."""
    pandas, arrow = sys.modules["pandas"], sys.modules["pyarrow"]
    parquet = sys.modules["pyarrow.parquet"]
    file = io.BytesIO()
    frame = pandas.DataFrame({"number": [1], "text": ["a"], "at": pandas.to_datetime(["2026-01-01"])})
    parquet.write_table(arrow.Table.from_pandas(frame, nthreads=1), file)
    file.seek(0)
    parquet.ParquetFile(file, pre_buffer=False).read(use_threads=False).to_pandas(use_threads=False)


def work(request: dict[str, Any], tell: Tell) -> int:
    """Make one asset; exceptions of the function become its error, with the end of the traceback."""
    job = request["job"]
    asset = request["assets"][0]
    sys.path[:0] = [path for path in job["paths"] if path not in sys.path]
    started_at = now()
    try:
        function = _find(job)
        inputs = {name: _read(source) for name, source in job["inputs"].items()}
        noted = importlib.import_module("freshd.assets")
        noted.take_logged()
        made = function(**inputs)
        metadata = {**_write(made, Path(job["output"])), **noted.take_logged()}
    except BaseException as error:
        tell({"phase": "failed", "asset": asset, "started_at": started_at, "error": _tell_of(error)})
        return 1
    tell({"phase": "succeeded", "asset": asset, "started_at": started_at, "metadata": metadata})
    return 0


def _find(job: dict[str, Any]) -> Callable[..., Any]:
    named: Any = importlib.import_module(job["module"])
    for part in job["function"].split("."):
        named = getattr(named, part)
    if not callable(named):
        raise TypeError(f"{job['module']}.{job['function']} is not a function")
    found: Callable[..., Any] = named
    return found


def _read(source: dict[str, Any]) -> Any:
    """An upstream's content: of one with partitions those that the mapping names and that are there, in order."""
    arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    place = Path(source["path"])
    if not source["partitioned"]:
        paths = [place.with_name(f"{place.name}.parquet")]
    elif source["partitions"] is None:
        paths = sorted(place.glob("*.parquet"))
    else:
        paths = [place / f"{name}.parquet" for name in source["partitions"]]
        if not source["needed"]:
            paths = [path for path in paths if path.exists()]
    missing = [path for path in paths if not path.exists()]
    if missing or not paths:
        where = missing[0] if missing else place / "*.parquet"
        raise FileNotFoundError(
            f"upstream {source['key']} has no data at {where}: what fills it must write its Parquet there"
        )
    tables = [parquet.ParquetFile(path).read(use_threads=False) for path in paths]
    table = tables[0] if len(tables) == 1 else arrow.concat_tables(tables, promote_options="default")
    return table.to_pandas()


def _write(made: Any, path: Path) -> dict[str, Any]:
    if made is None:
        return {}
    pandas = importlib.import_module("pandas")
    arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    if isinstance(made, pandas.Series):
        made = made.to_frame(name=made.name or "value")
    if isinstance(made, pandas.DataFrame):
        made = arrow.Table.from_pandas(made)
    if not isinstance(made, arrow.Table):
        raise TypeError(
            f"an @asset function returns a DataFrame, a Series, an Arrow table or nothing, not {type(made).__name__}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        parquet.write_table(made, draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    names = [name for name in made.column_names if not name.startswith("__index_level_")]
    return {"row_count": made.num_rows, "column_count": len(names), "columns": ", ".join(names)[:SHOWN_COLUMNS]}


def _tell_of(error: BaseException) -> str:
    """The exception and the end of its traceback, without our own frames."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    told = "".join(traceback.format_exception(type(error), error, trace)) if trace else f"{error}"
    return told.strip()[-SHOWN_OUTPUT:] or type(error).__name__
