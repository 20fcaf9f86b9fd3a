"""Started by path, by any interpreter: loads its own folder as the package `freshd_workers`, then serves."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path


def main() -> None:
    """Run the warm server that the one argument (JSON) describes."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]
    spec = importlib.util.spec_from_file_location(
        "freshd_workers",
        here / "__init__.py",
        submodule_search_locations=[str(here)],
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"freshd: cannot load the workers from {here}")
    package = importlib.util.module_from_spec(spec)
    sys.modules["freshd_workers"] = package
    spec.loader.exec_module(package)
    importlib.import_module("freshd_workers.server").main(sys.argv[1])


if __name__ == "__main__":
    main()
