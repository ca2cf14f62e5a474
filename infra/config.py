"""The deployment configuration: YAML validated at synth, so that a bad file fails the build rather than the night.

`config/example.yaml` explains every field; `config/local.yaml` deploys into the embedded AWS.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from infra.drills import Drill
from orchestrator.approvals import Approvals
from orchestrator.errors import ValidationError
from orchestrator.leases import Leases, LeaseTerms

AccountId = Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
RegionName = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9]\d{6,14}$")]
CustomerName = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^,/]+$")]
"""A value of the tag Customer. Comma and slash separate scopes elsewhere."""
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^(production|staging|development)$")]
ViewArn = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:resource-explorer-2:[a-z0-9-]+:\d{12}:view/[^/]+/[0-9a-zA-Z-]+$")
]
HostPort = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]+:\d{1,5}$")]

APPROVALS_LIMIT = 2000
"""Characters: Lambda's environment ends at 4 KB."""
LEASES_LIMIT = 500
PLACEHOLDER, EXAMPLE_ACCOUNT = "replace-with", "123456789012"
"""How config/example.yaml is told from a configuration somebody means to deploy."""
LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3653)


def _log_retention(days: int) -> int:
    if days not in LOG_RETENTION_DAYS:
        raise ValueError(f"{days} is not a retention CloudWatch Logs offers; use one of {LOG_RETENTION_DAYS}")
    return days


class Strict(BaseModel):
    """Unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Hub(Strict):
    """Where the hub lives: the same stacks in two Regions of one account."""

    account: AccountId
    home_region: RegionName
    peer_region: RegionName
    external_id: Annotated[str, StringConstraints(min_length=16, max_length=1224, pattern=r"^[\w+=,.@:/-]+$")]
    """Goes with every assumption of a spoke role. Not a secret, but unique to this hub: make one with `uuidgen`."""
    explorer_views: dict[RegionName, ViewArn] = Field(default_factory=dict)
    """Hub Region -> ARN of the Resource Explorer view its hub asks; none: the Region's default view. A view that sees all
    Regions lies in the aggregator's Region; keep that where a failover goes to, not where it comes from."""
    dns_servers: tuple[HostPort, ...] = ()
    """Ask these resolvers instead of the zones' own name servers."""
    log_level: Annotated[str, StringConstraints(pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    log_retention_days: Annotated[int, AfterValidator(_log_retention)] = 365
    retain_data: bool = True
    """Keep tables, buckets and keys, and protect them from deletion, when a stack is deleted."""

    @property
    def regions(self) -> tuple[str, str]:
        """Return both Regions, home first."""
        return (self.home_region, self.peer_region)

    def other(self, region: str) -> str:
        """Return the other of the two Regions."""
        return self.peer_region if region == self.home_region else self.home_region

    @model_validator(mode="after")
    def _regions_make_sense(self) -> Hub:
        if self.home_region == self.peer_region:
            raise ValueError(f"home_region and peer_region are both {self.home_region}; name two different Regions")
        if strangers := set(self.explorer_views) - set(self.regions):
            raise ValueError(f"explorer_views names {sorted(strangers)}, which is no Region of this hub {self.regions}")
        if self.external_id.startswith(PLACEHOLDER) and self.account != EXAMPLE_ACCOUNT:
            raise ValueError("external_id is still the example's, which every reader knows; make one with `uuidgen`")
        return self


class StackSetModel(StrEnum):
    """Who creates the roles in the spoke accounts."""

    SERVICE_MANAGED = "service-managed"
    SELF_MANAGED = "self-managed"


class Spokes(Strict):
    """The workload accounts."""

    deployment: StackSetModel = StackSetModel.SERVICE_MANAGED
    organizational_units: tuple[Annotated[str, StringConstraints(pattern=r"^(ou-|r-)[a-z0-9-]+$")], ...] = ()
    accounts: tuple[AccountId, ...] = ()
    """The workload accounts: searched for what Resource Explorer does not list, such as DRS source servers. Self-managed
    deployment puts the roles there too."""
    delegated_administrator: bool = False
    """True when the hub account administers StackSets for the organisation without being its management account."""
    permissions_boundary: str = ""
    """Name of a managed policy in every spoke account that bounds the spoke roles; empty: none."""
    probe: bool = False
    """Ask the function `dr-probe` of an account and Region (stacksets/README.md) whether private endpoints can be reached."""
    administration_role: str = "AWSCloudFormationStackSetAdministrationRole"
    execution_role: str = "AWSCloudFormationStackSetExecutionRole"
    max_concurrent_percent: Annotated[int, Field(ge=1, le=100)] = 100
    failure_tolerance_percent: Annotated[int, Field(ge=0, le=100)] = 10

    @model_validator(mode="after")
    def _targets_fit_the_model(self) -> Spokes:
        managed = self.deployment is StackSetModel.SERVICE_MANAGED
        if managed and not self.organizational_units:
            raise ValueError("service-managed deployment needs organizational_units; list at least one")
        if not managed and not self.accounts:
            raise ValueError("self-managed deployment needs accounts; list at least one")
        if not managed and (self.organizational_units or self.delegated_administrator):
            raise ValueError(
                "self-managed deployment targets accounts; remove organizational_units and delegated_administrator"
            )
        return self


class Contacts(Strict):
    """Who is told."""

    emails: tuple[Email, ...] = ()
    phones: tuple[Phone, ...] = ()


class Customer(Strict):
    """One customer whose stacks the hub recovers; `contacts` hear only of this customer's runs."""

    name: CustomerName
    environments: tuple[EnvironmentName, ...] = Field(min_length=1)
    """The values of the tag Environment whose inventory is kept fresh."""
    home_region: RegionName | None = None
    """The hub Region this customer runs in unless a run has moved it; none: the hub's home Region."""
    contacts: Contacts = Contacts()
    escalation: Contacts = Contacts()
    """Hear of this customer's gates that nobody answered for 30 minutes."""
    lease: LeaseTerms | None = None
    """Of this customer's drills, in place of the hub's."""
    drills: tuple[Drill, ...] = ()
    """Held by the calendar."""


class Organization(Strict):
    """The AWS Organization that hub and spokes belong to."""

    id: Annotated[str, StringConstraints(pattern=r"^o-[a-z0-9]{10,32}$")]


class Config(Strict):
    """One hub with its spokes."""

    hub: Hub
    organization: Organization
    spokes: Spokes
    operators: Contacts = Contacts()
    """Hear of every run and every alarm."""
    escalation: Contacts = Contacts()
    """Hear of gates that nobody answered for 30 minutes."""
    approvals: Approvals = Approvals()
    """Whose answers count at which gates."""
    lease: LeaseTerms = LeaseTerms()
    """How long the copies of drills may stay that do not say, and what they may cost."""
    customers: tuple[Customer, ...] = Field(min_length=1)
    refresh_minutes: Annotated[int, Field(ge=5, le=1440)] = 30

    @property
    def scopes(self) -> tuple[str, ...]:
        """Return every scope as `Customer/Environment`."""
        return tuple(f"{customer.name}/{each}" for customer in self.customers for each in customer.environments)

    @property
    def leases(self) -> Leases:
        """Return the terms of all drills, as the functions are told."""
        own = {customer.name: customer.lease for customer in self.customers if customer.lease}
        return Leases(**dict(self.lease), customers=own)

    @property
    def scopes_elsewhere(self) -> tuple[str, ...]:
        """Return the scopes whose home is the hub's other Region."""
        away = {each.name for each in self.customers if each.home_region == self.hub.peer_region}
        return tuple(scope for scope in self.scopes if scope.rpartition("/")[0] in away)

    @model_validator(mode="after")
    def _homes_are_regions_of_the_hub(self) -> Config:
        for each in self.customers:
            if each.home_region not in {None, *self.hub.regions}:
                raise ValueError(
                    f"customer {each.name} has home_region {each.home_region}, which is no Region of this hub {self.hub.regions}"
                )
        return self

    @model_validator(mode="after")
    def _customers_are_unique(self) -> Config:
        names = [customer.name for customer in self.customers]
        if doubles := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"customers lists {doubles} more than once; merge the entries")
        return self

    @model_validator(mode="after")
    def _drills_make_sense(self) -> Config:
        for customer in self.customers:
            names = [drill.name for drill in customer.drills]
            if doubles := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(
                    f"drills of {customer.name} name {doubles} more than once; give each a name of its own"
                )
            for drill in customer.drills:
                where = f"drill {drill.name} of {customer.name}"
                if drill.environment not in customer.environments:
                    raise ValueError(f"{where} is of {drill.environment}, expected one of {customer.environments}")
                if drill.dr_region not in self.hub.regions:
                    raise ValueError(
                        f"{where} runs in {drill.dr_region}, where there is no hub; expected {self.hub.regions}"
                    )
                try:
                    drill.request(customer.name)
                except ValidationError as err:
                    raise ValueError(f"{where}: {err.message}") from err
        return self

    @model_validator(mode="after")
    def _approvals_make_sense(self) -> Config:
        named = {customer for rule in self.approvals.rules for customer in rule.customers}
        if strangers := sorted(named - {customer.name for customer in self.customers}):
            raise ValueError(f"approvals name {strangers}, who are no customers; list them or correct the names")
        if (size := len(self.approvals.model_dump_json(exclude_defaults=True))) > APPROVALS_LIMIT:
            raise ValueError(
                f"approvals take {size} characters of the functions' environment, at most {APPROVALS_LIMIT}"
            )
        return self

    @model_validator(mode="after")
    def _leases_make_sense(self) -> Config:
        if (size := len(self.leases.model_dump_json(exclude_defaults=True))) > LEASES_LIMIT:
            raise ValueError(f"leases take {size} characters of the functions' environment, at most {LEASES_LIMIT}")
        return self


def load(path: Path) -> Config:
    """Read and validate a configuration file; raise ValueError that names the file and every wrong field."""
    try:
        return Config.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as err:
        raise ValueError(f"{path} does not exist; copy config/example.yaml and pass -c config={path}") from err
    except (yaml.YAMLError, ValueError) as err:
        raise ValueError(f"{path}: {err}") from err
