"""How many runs may go on at one time: written in freshd.yaml for the daemon, and in a scenario for itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from freshd.documents.fields import Closed
from freshd.model.policy import Places

Count = Annotated[int, Field(ge=1, le=1_000_000)]


class PlacesModel(Closed):
    """Bounds on the daemon's runs, besides the `limit` of each launcher."""

    runs: Count | None = Field(default=None, description="of all launchers together")
    tags: dict[str, Count] = Field(default_factory=dict, description="of assets with a tag")

    def places(self) -> Places:
        """In the model's words."""
        return Places(self.runs or 0, dict(self.tags))
