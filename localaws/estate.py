"""Estates: which accounts exist and what is in them, written as YAML.

An entry of `resources` is one thing to recover, on both sides. Its `kind` names a seeder, a function
`seed(world, estate, entry) -> None` that makes the resources in the embedded AWS with its `tags` on the
source side and on the target side, because AWS copies no tags for anybody.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints, ValidationError, model_validator

if TYPE_CHECKING:
    from localaws.world import World

Seeder = Callable[["World", "Estate", "Entry"], None]
AccountId = Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$")]

SEEDERS: dict[str, str] = {
    "drs-server": "localaws.seeds.drs_server:seed",
    "rds-replica": "localaws.seeds.rds_replica:seed",
    "rds-single": "localaws.seeds.rds_single:seed",
    "aurora-global": "localaws.seeds.aurora_global:seed",
    "aurora-replica": "localaws.seeds.aurora_replica:seed",
    "aurora-single": "localaws.seeds.aurora_single:seed",
    "elasticache-global": "localaws.seeds.elasticache_global:seed",
    "elasticache-standalone": "localaws.seeds.elasticache_standalone:seed",
    "memorydb-multi-region": "localaws.seeds.memorydb_multi_region:seed",
    "opensearch-ccr": "localaws.seeds.opensearch_ccr:seed",
    "ecs-service": "localaws.seeds.ecs_service:seed",
    "dns-failover": "localaws.seeds.dns:seed_failover",
    "dns-weighted": "localaws.seeds.dns:seed_weighted",
    "dns-alarm": "localaws.seeds.dns:seed_alarm",
    "dns-arc": "localaws.seeds.dns:seed_arc",
    "dns-simple": "localaws.seeds.dns:seed_simple",
    "efs-replication": "localaws.seeds.efs_replication:seed",
    "efs-backup": "localaws.seeds.efs_replication:seed_backup",
    "fsx-backup": "localaws.seeds.fsx_backup:seed",
    "fsx-ontap": "localaws.seeds.fsx_ontap:seed",
    "asg": "localaws.seeds.asg:seed",
    "lambda-function": "localaws.seeds.lambda_function:seed",
    "eventbridge-rules": "localaws.seeds.eventbridge_rules:seed",
    "bystander": "localaws.seeds.bystander:seed",
    "service-quota": "localaws.seeds.service_quota:seed",
}
SHIPPED = Path(__file__).parent / "estates"


class EstateError(ValueError):
    """An estate file that cannot be used; the message names file, path and problem."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Unit(_Strict):
    """An organizational unit and the names of its accounts."""

    id: Annotated[str, StringConstraints(pattern=r"^ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}$")]
    name: str
    accounts: tuple[Name, ...] = ()


class Organization(_Strict):
    """The organization all accounts belong to; those named in no unit get one called `other`."""

    id: Annotated[str, StringConstraints(pattern=r"^o-[a-z0-9]{10,32}$")]
    # AWS allows up to 32 characters; moto knows roots of four.
    root: Annotated[str, StringConstraints(pattern=r"^r-[0-9a-z]{4}$")]
    units: tuple[Unit, ...] = ()


class Hub(_Strict):
    """Where the orchestrator is deployed."""

    account: Name
    regions: tuple[Region, ...] = Field(min_length=1)


class Entry(BaseModel):
    """One resource. Fields beyond these belong to the kind and are read with `setting`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str
    account: Name
    name: Name
    scope: str | None = None
    tags: dict[str, str] = {}

    def setting(self, name: str, default: Any = None) -> Any:
        """Return a field of this kind, or `default`."""
        return (self.model_extra or {}).get(name, default)


class Estate(_Strict):
    """Accounts, Regions and resources. `scopes` are sets of tags that entries share by naming them."""

    name: str
    organization: Organization
    hub: Hub
    accounts: dict[Name, AccountId]
    primary_region: Region
    dr_region: Region
    scopes: dict[str, dict[str, str]] = {}
    resources: tuple[Entry, ...] = ()
    _source: str = PrivateAttr(default="estate")

    def account_id(self, name: str) -> str:
        """Return the 12-digit id of an account named in the estate."""
        return self.accounts[name]

    def tags(self, entry: Entry) -> dict[str, str]:
        """Return the tags of an entry: those of its scope, then its own."""
        return {**(self.scopes[entry.scope] if entry.scope else {}), **entry.tags}

    @property
    def regions(self) -> tuple[str, str]:
        """Return both Regions, source side first."""
        return (self.primary_region, self.dr_region)

    @model_validator(mode="after")
    def _references_resolve(self) -> Self:
        problems = [*self._unknown_accounts(), *self._entry_problems()]
        if len(set(self.accounts.values())) != len(self.accounts):
            problems.append("accounts: two names share one id")
        if self.primary_region == self.dr_region:
            problems.append(f"dr_region: {self.dr_region} is the primary region")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _unknown_accounts(self) -> list[str]:
        named = [("hub.account", self.hub.account)]
        for index, unit in enumerate(self.organization.units):
            named += [(f"organization.units.{index}.accounts", name) for name in unit.accounts]
        named += [(f"resources.{index}.account", entry.account) for index, entry in enumerate(self.resources)]
        known = ", ".join(self.accounts)
        return [
            f"{path}: unknown account {name!r}, known: {known}" for path, name in named if name not in self.accounts
        ]

    def _entry_problems(self) -> list[str]:
        problems = []
        seen: dict[tuple[str, str, str], int] = {}
        for index, entry in enumerate(self.resources):
            if entry.kind not in SEEDERS:
                problems.append(f"resources.{index}.kind: unknown kind {entry.kind!r}, known: {', '.join(SEEDERS)}")
            if entry.scope is not None and entry.scope not in self.scopes:
                problems.append(f"resources.{index}.scope: unknown scope {entry.scope!r}")
            first = seen.setdefault((entry.kind, entry.account, entry.name), index)
            if first != index:
                problems.append(f"resources.{index}.name: {entry.name!r} repeats resources.{first}")
        return problems


def read(source: Path | str) -> Estate:
    """Read and check an estate: a YAML file, or the name of a shipped one (`demo`, `small`).

    Raises:
        EstateError: naming the file, the path inside it and what is wrong there.
    """
    path = SHIPPED / f"{source}.yaml" if isinstance(source, str) and "/" not in source else Path(source)
    if not path.is_file() and Path(source).is_file():
        path = Path(source)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        shipped = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.yaml")))
        raise EstateError(f"{path}: no such file. Shipped estates: {shipped}") from error
    except yaml.YAMLError as error:
        raise EstateError(f"{path}: not YAML: {error}") from error
    return parse(content, str(path))


def parse(content: Any, source: str) -> Estate:
    """Check an estate's content; `source` names it in errors. Raises `EstateError`."""
    try:
        return Estate.model_validate(content)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            where = ".".join(str(part) for part in problem["loc"])
            message = str(problem["msg"]).removeprefix("Value error, ")
            lines += [f"{where}: {line}" if where else line for line in message.splitlines()]
        raise EstateError("\n".join(f"{source}: {line}" for line in lines)) from error


def load(world: World, source: Path | str) -> Estate:
    """Read an estate and put everything in it into `world`. Raises `EstateError`."""
    estate = read(source)
    seed(world, estate, str(source))
    return estate


def seed(world: World, estate: Estate, source: str = "estate") -> None:
    """Put everything in an estate into `world`; `source` names it in errors. Raises `EstateError`."""
    for name, account in estate.accounts.items():
        world.accounts.add(account, name)
    for part in ("organization", "explorer"):
        importlib.import_module(f"localaws.seeds.{part}").seed(world, estate)
    add(world, estate, source)


def add(world: World, estate: Estate, source: str = "estate") -> None:
    """Put an estate's resources into a world that has its accounts and organization already. Raises `EstateError`."""
    for index, entry in enumerate(estate.resources):
        try:
            _seeder(entry.kind)(world, estate, entry)
        except (ValidationError, LookupError, AttributeError, ImportError) as error:
            raise EstateError(
                f"{source}: resources.{index} ({entry.kind} {entry.name}): {type(error).__name__}: {error}"
            ) from error


def _seeder(kind: str) -> Seeder:
    module, function = SEEDERS[kind].split(":")
    seeder: Seeder = getattr(importlib.import_module(module), function)
    return seeder
