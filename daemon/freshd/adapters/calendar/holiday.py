"""Public holidays of a country, or of a part of one, as the `holidays` package knows them, year by year.

Names are ISO 3166: `GB`, `GB-ENG`, `US-NY`. The package is loaded when a calendar first asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from functools import lru_cache


def check_holidays(names: Sequence[str]) -> None:
    """Raises ValueError for a name whose holidays are not known; it says which ones are, or one that is like it."""
    known = _known()
    for name in names:
        country, dash, part = name.partition("-")
        parts = known.get(country)
        if parts is None:
            wanted = "GB" if country.upper() == "UK" else country.upper()
            similar = get_close_matches(wanted, known, n=1, cutoff=0.5)
            hint = f"; did you mean {similar[0]}?" if similar and similar[0] != country else ""
            raise ValueError(
                f"{name!r} is no country whose holidays are known{hint or '; write one like GB or GB-ENG'}"
            )
        if dash and part not in parts:
            have = f"; parts of {country} are {', '.join(parts)}" if parts else f"; write {country}, it has no parts"
            raise ValueError(f"{name!r} is no part of a country whose holidays are known{have}")


@lru_cache(maxsize=256)
def holidays_of(name: str, year: int) -> frozenset[date]:
    """The holidays of one year there. The name must have passed `check_holidays`."""
    import holidays

    country, _, part = name.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year, expand=False))


@lru_cache(maxsize=1)
def _known() -> Mapping[str, Sequence[str]]:
    """Countries by their two letters, with their parts."""
    import holidays

    listed = holidays.list_supported_countries(include_aliases=False)
    return {country: parts for country, parts in listed.items() if len(country) == 2}
