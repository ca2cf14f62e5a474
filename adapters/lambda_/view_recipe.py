"""What one side must be like to do what the other one does; the inventory keeps it, for a lost Region cannot be asked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, JsonValue

LATEST = "$LATEST"
NEXT = "next"
"""The version that a preview expects to be published; its number is known only then."""


class Build(BaseModel):
    """What runs: the code, and the settings that a version freezes with it and that are the same in every Region."""

    model_config = ConfigDict(frozen=True)

    sha: str
    runtime: str | None = None
    handler: str | None = None
    timeout: int = 3
    memory: int = 128

    def __str__(self) -> str:
        """Return it for people."""
        return f"code {self.sha[:8]} ({self.runtime or 'image'}, {self.memory} MB, {self.timeout} s)"


class AliasRecipe(BaseModel):
    """Where an alias points, and what runs there."""

    model_config = ConfigDict(frozen=True)

    version: str
    build: Build


class Recipe(BaseModel):
    """A side as the other one must become; kept in the inventory, for a Region that is lost cannot be asked."""

    model_config = ConfigDict(frozen=True)

    latest: Build | None = None
    """None: the function is not there."""
    aliases: dict[str, AliasRecipe] = {}
    reserved: int | None = None
    """None: nothing is reserved, it runs in what the account has left. 0: it takes no calls."""
    provisioned: dict[str, int] = {}
    consuming: list[str] = []
    """Keys of the event source mappings that are on."""
    mappings: list[str] = []
    """Keys of all event source mappings."""
    definition: dict[str, JsonValue] | None = None
    """What the function can be made from anew; only kept for functions that are deployed from source."""
