"""Catalogues: which assets there are, from YAML files, dbt manifests and modules of `@asset` functions."""

from freshd.adapters.catalog.dbt_files import digest_of_url
from freshd.adapters.catalog.dbt_policies import PolicyDraft
from freshd.adapters.catalog.load import Catalog, inline_assets, load_catalog, read_results
from freshd.adapters.catalog.settings import AssetFile, CatalogEntry, DbtEntry, PythonEntry

__all__ = [
    "AssetFile",
    "Catalog",
    "CatalogEntry",
    "DbtEntry",
    "PolicyDraft",
    "PythonEntry",
    "digest_of_url",
    "inline_assets",
    "load_catalog",
    "read_results",
]
