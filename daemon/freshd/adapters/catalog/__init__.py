"""Catalogues: which assets there are, from YAML files, dbt manifests and modules of `@asset` functions."""

from freshd.adapters.catalog.dbt_files import digest_of_url
from freshd.adapters.catalog.load import Catalog, load_catalog, read_results
from freshd.adapters.catalog.settings import CatalogEntry, DbtEntry, PythonEntry

__all__ = [
    "Catalog",
    "CatalogEntry",
    "DbtEntry",
    "PythonEntry",
    "digest_of_url",
    "load_catalog",
    "read_results",
]
