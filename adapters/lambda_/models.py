"""Lambda's replies, as far as they are used. An unknown state is an error, not a wait."""

from __future__ import annotations

import re
from enum import StrEnum

from pydantic import BaseModel, JsonValue

from adapters.lambda_.view_recipe import LATEST, Build


class FunctionState(StrEnum):
    """Configuration.State."""

    PENDING = "Pending"
    ACTIVE = "Active"
    INACTIVE = "Inactive"
    FAILED = "Failed"
    DEACTIVATING = "Deactivating"
    DEACTIVATED = "Deactivated"
    ACTIVE_NON_INVOCABLE = "ActiveNonInvocable"
    DELETING = "Deleting"


class UpdateStatus(StrEnum):
    """Configuration.LastUpdateStatus."""

    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    IN_PROGRESS = "InProgress"


class MappingState(StrEnum):
    """State of an event source mapping."""

    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    UPDATING = "Updating"
    DELETING = "Deleting"


class ProvisionedStatus(StrEnum):
    """Status of provisioned concurrency."""

    IN_PROGRESS = "IN_PROGRESS"
    READY = "READY"
    FAILED = "FAILED"


class _Environment(BaseModel):
    Variables: dict[str, str] = {}
    Error: dict[str, JsonValue] | None = None


class _VpcConfig(BaseModel):
    SubnetIds: list[str] = []
    SecurityGroupIds: list[str] = []


class _Layer(BaseModel):
    Arn: str


class _Size(BaseModel):
    Size: int = 512


class _Tracing(BaseModel):
    Mode: str = "PassThrough"


class _Arn(BaseModel):
    TargetArn: str | None = None


class _SnapStart(BaseModel):
    ApplyOn: str = "None"


class _ImageConfig(BaseModel):
    ImageConfig: dict[str, JsonValue] = {}


class Configuration(BaseModel):
    """A function's configuration, of $LATEST or of a published version."""

    FunctionName: str
    FunctionArn: str = ""
    Version: str = LATEST
    CodeSha256: str = ""
    Runtime: str | None = None
    Handler: str | None = None
    Timeout: int = 3
    MemorySize: int = 128
    State: FunctionState = FunctionState.ACTIVE
    StateReason: str | None = None
    StateReasonCode: str | None = None
    LastUpdateStatus: UpdateStatus = UpdateStatus.SUCCESSFUL
    LastUpdateStatusReason: str | None = None
    LastUpdateStatusReasonCode: str | None = None
    PackageType: str = "Zip"
    Role: str = ""
    Description: str | None = None
    Environment: _Environment = _Environment()
    VpcConfig: _VpcConfig = _VpcConfig()
    Layers: list[_Layer] = []
    KMSKeyArn: str | None = None
    Architectures: list[str] = ["x86_64"]
    EphemeralStorage: _Size = _Size()
    TracingConfig: _Tracing = _Tracing()
    DeadLetterConfig: _Arn = _Arn()
    FileSystemConfigs: list[dict[str, JsonValue]] = []
    SnapStart: _SnapStart = _SnapStart()
    ImageConfigResponse: _ImageConfig | None = None
    CapacityProviderConfig: dict[str, JsonValue] | None = None
    DurableConfig: dict[str, JsonValue] | None = None
    TenancyConfig: dict[str, JsonValue] | None = None
    RevisionId: str = ""

    @property
    def build(self) -> Build:
        """Return what runs."""
        return Build(
            sha=self.CodeSha256,
            runtime=self.Runtime,
            handler=self.Handler,
            timeout=self.Timeout,
            memory=self.MemorySize,
        )

    @property
    def trouble(self) -> str:
        """Return what AWS says when creating or updating did not succeed; empty when nothing is wrong."""
        if self.State is FunctionState.FAILED:
            return f"is Failed ({self.StateReasonCode}: {self.StateReason})"
        if self.LastUpdateStatus is UpdateStatus.FAILED:
            return f"its last update Failed ({self.LastUpdateStatusReasonCode}: {self.LastUpdateStatusReason})"
        if self.State in {FunctionState.DEACTIVATED, FunctionState.DELETING, FunctionState.ACTIVE_NON_INVOCABLE}:
            return f"is {self.State} ({self.StateReasonCode}: {self.StateReason})"
        return ""

    @property
    def settled(self) -> bool:
        """Say whether nothing is under way; an Inactive function wakes at its next call."""
        return (
            self.State in {FunctionState.ACTIVE, FunctionState.INACTIVE}
            and self.LastUpdateStatus is not UpdateStatus.IN_PROGRESS
        )


class _Code(BaseModel):
    ImageUri: str | None = None


class Function(BaseModel):
    """lambda:GetFunction."""

    Configuration: Configuration
    Code: _Code = _Code()
    Tags: dict[str, str] = {}


class Reserved(BaseModel):
    """lambda:GetFunctionConcurrency; None means that nothing is reserved."""

    ReservedConcurrentExecutions: int | None = None


class _Routing(BaseModel):
    AdditionalVersionWeights: dict[str, float] | None = None


class Alias(BaseModel):
    """An alias."""

    Name: str
    FunctionVersion: str
    RoutingConfig: _Routing | None = None
    RevisionId: str = ""

    @property
    def weights(self) -> dict[str, float]:
        """Return which other versions get a share of the calls."""
        return (self.RoutingConfig.AdditionalVersionWeights if self.RoutingConfig else None) or {}


class Aliases(BaseModel):
    """lambda:ListAliases."""

    Aliases: list[Alias] = []


class Versions(BaseModel):
    """lambda:ListVersionsByFunction."""

    Versions: list[Configuration] = []


class Mapping(BaseModel):
    """An event source mapping."""

    UUID: str
    FunctionArn: str = ""
    EventSourceArn: str | None = None
    Topics: list[str] = []
    State: MappingState
    StateTransitionReason: str | None = None
    LastProcessingResult: str | None = None

    @property
    def qualifier(self) -> str:
        """Return the alias or version that is called; empty for the function itself."""
        return self.FunctionArn.split(":")[7] if self.FunctionArn.count(":") > 6 else ""

    @property
    def key(self) -> str:
        """Return what is consumed, in words that are the same in both Regions: `sqs:orders`, `sqs:orders@live`."""
        name = f"kafka:{'+'.join(self.Topics)}"
        if self.EventSourceArn:
            _, _, service, _, _, tail = self.EventSourceArn.split(":", 5)
            kept = 1 if service == "sqs" else 2  # what follows are labels of streams, consumers, unique ids
            name = f"{service}:{'/'.join(re.split('[/:]', tail)[:kept])}"
        return f"{name}@{self.qualifier}" if self.qualifier else name

    @property
    def on(self) -> bool:
        """Say whether it consumes, or is about to."""
        return self.State in {
            MappingState.ENABLED,
            MappingState.ENABLING,
            MappingState.CREATING,
            MappingState.UPDATING,
        }


class Mappings(BaseModel):
    """lambda:ListEventSourceMappings."""

    EventSourceMappings: list[Mapping] = []


class Provisioned(BaseModel):
    """Provisioned concurrency of an alias or version."""

    FunctionArn: str
    RequestedProvisionedConcurrentExecutions: int = 0
    AvailableProvisionedConcurrentExecutions: int = 0
    Status: ProvisionedStatus
    StatusReason: str | None = None

    @property
    def qualifier(self) -> str:
        """Return the alias or version."""
        return self.FunctionArn.rpartition(":")[2]


class ProvisionedList(BaseModel):
    """lambda:ListProvisionedConcurrencyConfigs."""

    ProvisionedConcurrencyConfigs: list[Provisioned] = []


class AccountLimit(BaseModel):
    """Concurrency of an account in a Region."""

    ConcurrentExecutions: int = 0
    UnreservedConcurrentExecutions: int = 0


class AccountSettings(BaseModel):
    """lambda:GetAccountSettings."""

    AccountLimit: AccountLimit


class ObjectHead(BaseModel):
    """s3:HeadObject. A single-part object's SHA-256 is Lambda's CodeSha256."""

    ChecksumSHA256: str | None = None
    ChecksumType: str | None = None
