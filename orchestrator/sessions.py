"""The only place that makes AWS clients: it assumes spoke roles, cuts each session down, and refuses lost endpoints.

Every assumption: 900 s (the minimum of sts:AssumeRole), external ID, the Regional STS endpoint of the hub's Region,
source identity = requester, session name = run id, session tags, and a session policy for one phase, mode and target.
In an emergency no call may leave for the lost Region or for a control plane that lives elsewhere (Route 53 in
us-east-1, see aws docs "AWS fault isolation boundaries", appendix A).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import boto3
import jmespath
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import JsonValue
from pydantic import ValidationError as ModelError

from orchestrator.asking import PARALLEL
from orchestrator.aws_errors import translate
from orchestrator.cluster_endpoints import ClusterClient
from orchestrator.contract import Call, M, Reader, RunContext, Target
from orchestrator.dns_answers import answers
from orchestrator.errors import RefusedError, UpstreamError
from orchestrator.ledger.records import Run
from orchestrator.ontap_functions import OntapClient
from orchestrator.policies import session_policy
from orchestrator.sending import sendable
from orchestrator.signed_http import SignedHttpClient
from orchestrator.spec import Spec
from orchestrator.tags import CUSTOMER, ENVIRONMENT
from orchestrator.words import Mode, Phase, Side

GLOBAL_CONTROL_PLANE_REGION = "us-east-1"
"""Where the control planes of Route 53, IAM and Organizations live (partition aws)."""
GLOBAL_SERVICES = frozenset({"route53", "iam", "organizations"})
HOMES = {**dict.fromkeys(GLOBAL_SERVICES, GLOBAL_CONTROL_PLANE_REGION), "route53-recovery-control-config": "us-west-2"}
"""Where the control plane of a service without Regions lives, for those that an adapter may ask for."""
READ_PREFIXES = ("Describe", "Get", "List", "Search", "Lookup", "BatchGet", "Head", "Test")
SESSION_SECONDS = 900
CREDENTIALS_REUSED_SECONDS = 600
READERS_KEPT = 64
"""Accounts and Regions whose clients are kept; more than are looked at side by side."""

_READS = Config(
    connect_timeout=3,
    read_timeout=15,
    retries={"mode": "standard", "total_max_attempts": 4},
    user_agent_extra="dr-orchestrator",
)
_AROUND = _READS.merge(Config(retries={"mode": "adaptive", "total_max_attempts": 8}, max_pool_connections=PARALLEL))
"""For finding things, which asks a lot of one account: the client slows down while AWS throttles it."""
_ONE_OF_FIVE = _READS.merge(Config(read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1}))
_CHANGES = _READS.merge(Config(read_timeout=40, retries={"mode": "standard", "total_max_attempts": 1}))


@dataclass(frozen=True)
class SpokeAccess:
    """How the hub enters a spoke."""

    external_id: str
    role_prefix: str = "dr-spoke-"
    partition: str = "aws"

    def role_arn(self, account: str, technology: str) -> str:
        """Return the ARN of the spoke role of a technology."""
        return f"arn:{self.partition}:iam::{account}:role/{self.role_prefix}{technology}"


@dataclass(frozen=True)
class Caller:
    """On whose behalf a session is opened; ends up in every CloudTrail of every spoke."""

    run_id: str
    requester: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def session_name(self) -> str:
        """Return the run id in the characters and length STS allows."""
        return re.sub(r"[^\w+=,.@-]", "-", self.run_id)[:64].ljust(2, "-")

    @property
    def source_identity(self) -> str:
        """Return the requester in the characters and length STS allows."""
        return re.sub(r"[^\w+=,.@-]", "-", self.requester)[-64:].ljust(2, "-")


def caller_of(run: Run) -> Caller:
    """Return on whose behalf a run's sessions are opened, for which customer's environment."""
    return Caller(run.run_id, run.requester, {CUSTOMER: run.scope.customer, ENVIRONMENT: run.scope.environment})


class AwsReader:
    """Body of `contract.Reader`: one account, one Region, parsed replies, read operations only."""

    def __init__(
        self,
        account: str,
        region: str,
        session: boto3.Session,
        what: str,
        dns_servers: Sequence[str] = (),
        refused: frozenset[str] = frozenset(),
        lost: frozenset[str] = frozenset(),
        *,
        looks_around: bool = False,
    ) -> None:
        """`refused` are services that may not be called, `lost` Regions, wherever an endpoint may be chosen.

        `looks_around`: for discovery, which asks a lot of one account.
        """
        self.account = account
        self.region = region
        self._session = session
        self._what = what
        self._dns_servers = dns_servers
        self._refused = refused
        self._lost = lost
        self._reads = _AROUND if looks_around else _READS
        self._clients: dict[tuple[str, bool], Any] = {}
        self._making = threading.Lock()

    @classmethod
    def of_hub(cls, hub: Hub, region: str) -> AwsReader:
        """Return a reader in the hub's own account, for Resource Explorer in the Region of its aggregator index."""
        return cls("hub", region, hub.session, "the hub", looks_around=True)

    def client(self, service: str, *, changes: bool = False) -> Any:
        """Return a botocore client; those for changes never retry by themselves."""
        if service in self._refused:
            raise RefusedError(
                f"an emergency run may not call {service}: its control plane lives in {HOMES[service]}.",
                "use a data plane: a pre-made record steered by a health check.",
            )
        key = (service, changes)
        with self._making:  # clients are safe to share between threads, making them is not
            if key not in self._clients:
                self._clients[key] = self._made(service, _CHANGES if changes else self._reads)
            return self._clients[key]

    def _made(self, service: str, config: Config) -> Any:
        functions = partial(self._session.client, "lambda", region_name=self.region, config=config)
        if service == SignedHttpClient.SERVICE:
            return SignedHttpClient(self._session._session, self.region, config, functions)
        if service == ClusterClient.SERVICE:
            return ClusterClient(self._cluster_endpoint, self.region, self._lost)
        if service == OntapClient.SERVICE:
            return OntapClient(functions(), self.region)
        return self._session.client(service, region_name=HOMES.get(service, self.region), config=config)

    def _cluster_endpoint(self, region: str, url: str) -> Any:
        return self._session.client(ClusterClient.SERVICE, region_name=region, endpoint_url=url, config=_ONE_OF_FIVE)

    def read(self, service: str, operation: str, model: type[M], /, **params: JsonValue | datetime) -> M:
        """See `contract.Reader.read`."""
        return self._parse(model, self._invoke(service, operation, params), service, operation)

    def find(
        self, service: str, operation: str, model: type[M], /, missing: tuple[str, ...], **params: JsonValue | datetime
    ) -> M | None:
        """See `contract.Reader.find`."""
        try:
            raw = self._raw(service, operation, params)
        except (ClientError, BotoCoreError) as err:
            if isinstance(err, ClientError) and err.response.get("Error", {}).get("Code") in missing:
                return None
            raise translate(err, self._describe(service, operation)) from err
        return self._parse(model, raw, service, operation)

    def pages(self, service: str, operation: str, model: type[M], /, **params: JsonValue | datetime) -> list[M]:
        """See `contract.Reader.pages`."""
        client, method = self.client(service), xform_name(operation)
        if not client.can_paginate(method):
            return [self.read(service, operation, model, **params)]
        self._only_reads(service, operation)
        try:
            pages = list(client.get_paginator(method).paginate(**params))
        except (ClientError, BotoCoreError) as err:
            raise translate(err, self._describe(service, operation)) from err
        return [self._parse(model, page, service, operation) for page in pages]

    def resolve(self, name: str, record_type: str, name_servers: Sequence[str]) -> tuple[str, ...]:
        """See `contract.Reader.resolve`. A configured DNS server ("host:port") stands before the zone's own."""
        return answers(name, record_type, name_servers, self._dns_servers)

    def _invoke(self, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return self._raw(service, operation, params)
        except (ClientError, BotoCoreError) as err:
            raise translate(err, self._describe(service, operation)) from err

    def _raw(self, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._only_reads(service, operation)
        reply: Mapping[str, Any] = getattr(self.client(service), xform_name(operation))(**params)
        return reply

    def _only_reads(self, service: str, operation: str) -> None:
        if not operation.startswith(READ_PREFIXES):
            raise RefusedError(
                f"{service}.{operation} is not a read; a reader only looks.", "return it as a step's call."
            )

    def _parse(self, model: type[M], raw: Mapping[str, Any], service: str, operation: str) -> M:
        try:
            return model.model_validate(raw)
        except ModelError as err:
            raise UpstreamError(
                f"{self._describe(service, operation)}: the answer is not of the expected form: {err}",
                "report this to the platform's maintainers: AWS changed or the embedded AWS is incomplete.",
            ) from err

    def _describe(self, service: str, operation: str) -> str:
        return f"{service}.{operation} in {self.account}/{self.region} as {self._what}"


class Hub:
    """The hub's own account: its credentials, its clients, and the doors to the spokes."""

    def __init__(self, region: str, access: SpokeAccess, dns_servers: Sequence[str] = ()) -> None:
        self.region = region
        self.access = access
        self._dns_servers = tuple(dns_servers)
        self.session = boto3.Session(region_name=region)
        self._clients: dict[str, Any] = {}
        self._making = threading.Lock()
        self._credentials: dict[tuple[str, ...], tuple[float, Mapping[str, str]]] = {}
        self._readers: dict[tuple[str, str, frozenset[str], frozenset[str]], tuple[float, AwsReader]] = {}

    @classmethod
    def plain(cls, region: str) -> Hub:
        """Return a hub for callers that enter no spoke (the command line, the API)."""
        return cls(region, SpokeAccess(external_id=""))

    def client(self, service: str) -> Any:
        """Return a client of the hub's own account and Region."""
        with self._making:  # previews and health checks enter spokes from several threads at once
            if service not in self._clients:
                self._clients[service] = self.session.client(service, config=_READS)
            return self._clients[service]

    @cached_property
    def identity(self) -> str:
        """Return the ARN of whoever runs this code (sts:GetCallerIdentity)."""
        return str(self.client("sts").get_caller_identity()["Arn"])

    def spoke(
        self,
        account: str,
        region: str,
        technology: str,
        caller: Caller,
        policy: str | None,
        refused: frozenset[str] = frozenset(),
        lost: frozenset[str] = frozenset(),
        *,
        looks_around: bool = False,
    ) -> AwsReader:
        """Assume the spoke role of a technology and return a reader there; raise `AccessDeniedError` when refused."""
        role = self.access.role_arn(account, technology)
        credentials = self._assume(role, caller, policy)
        key, now = (credentials["AccessKeyId"], region, refused, lost), time.monotonic()
        kept = self._readers.get(key)
        if kept is not None:
            return kept[1]
        session = boto3.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=region,
            botocore_session=_shared_core(),
        )
        reader = AwsReader(account, region, session, role, self._dns_servers, refused, lost, looks_around=looks_around)
        # Making clients costs more than a call: looks of the same session share them while its credentials live. They also
        # cost memory, and an inventory enters hundreds of accounts: only the newest are kept.
        alive = [(k, v) for k, v in tuple(self._readers.items()) if now - v[0] < SESSION_SECONDS]
        self._readers = dict([*alive[-(READERS_KEPT - 1) :], (key, (now, reader))])
        return reader

    def _assume(self, role: str, caller: Caller, policy: str | None) -> Mapping[str, str]:
        key = (role, caller.session_name, caller.source_identity, policy or "")
        cached = self._credentials.get(key)
        if cached and time.monotonic() - cached[0] < CREDENTIALS_REUSED_SECONDS:
            return cached[1]
        request: dict[str, Any] = {
            "RoleArn": role,
            "RoleSessionName": caller.session_name,
            "ExternalId": self.access.external_id,
            "DurationSeconds": SESSION_SECONDS,
            "SourceIdentity": caller.source_identity,
            "Tags": [{"Key": k, "Value": v} for k, v in sorted(caller.tags.items())],
        }
        if policy:
            request["Policy"] = policy
        try:
            credentials: Mapping[str, str] = self.client("sts").assume_role(**request)["Credentials"]
        except (ClientError, BotoCoreError) as err:
            raise translate(err, f"sts.AssumeRole of {role} with the hub's external ID") from err
        self._credentials = {k: v for k, v in self._credentials.items() if time.monotonic() - v[0] < SESSION_SECONDS}
        self._credentials[key] = (time.monotonic(), credentials)
        return credentials


class RunClients:
    """Body of `contract.Clients` for one action of a run; also performs the calls of its steps."""

    def __init__(
        self, hub: Hub, caller: Caller, spec: Spec, run: RunContext, phase: Phase | None, target: Target
    ) -> None:
        """`phase` None opens a session that may only read, also what only a plan wants to know."""
        self._hub = hub
        self._caller = caller
        self._spec = spec
        self._run = run
        self._target = target
        mode, undo, tags = run.mode, run.rolling_back, caller.tags
        there = None if mode is Mode.DRILL else phase  # a drill's copies are on the target side; elsewhere it reads
        self._policies = [session_policy(spec, p, mode, target, rolling_back=undo, tags=tags) for p in (there, phase)]
        self._readers: dict[Side, AwsReader] = {}

    def reaches(self, side: Side) -> bool:
        """See `contract.Clients.reaches`. An emergency run stays in the Region being activated."""
        return self._run.mode is not Mode.EMERGENCY or self._place(side)[1] == self._run.target_region

    def at(self, side: Side) -> Reader:
        """See `contract.Clients.at`."""
        return self._reader(side)

    def perform(self, call: Call, token: str) -> Mapping[str, JsonValue]:
        """Make the call once and return what it wants kept; raise `DrError`. Never retries: the caller looks again."""
        reader = self._reader(call.side)
        params = sendable(call.params)
        if call.token:
            params[call.token] = token
        what = f"{call.service}.{call.operation} in {reader.account}/{reader.region}"
        try:
            reply = getattr(reader.client(call.service, changes=True), xform_name(call.operation))(**params)
        except (ClientError, BotoCoreError) as err:
            raise translate(err, what) from err
        return {name: jmespath.search(path, reply) for name, path in call.keep.items()}

    def _reader(self, side: Side) -> AwsReader:
        if side not in self._readers:
            account, region = self._place(side)
            if not self.reaches(side):
                raise RefusedError(
                    f"this emergency run may not call the {side} side in {region}: that Region is treated as lost.",
                    "use what the target side and the inventory tell.",
                )
            emergency, home = self._run.mode is Mode.EMERGENCY, self._run.target_region
            self._readers[side] = self._hub.spoke(
                account,
                region,
                self._spec.key,
                self._caller,
                self._policies[side is Side.TARGET],
                frozenset(service for service, where in HOMES.items() if emergency and where != home),
                frozenset({self._run.source_region} if emergency else ()),
            )
        return self._readers[side]

    def _place(self, side: Side) -> tuple[str, str]:
        member = self._target.members[0]
        place = member.source if side is Side.SOURCE else member.target
        if side is Side.GLOBAL:
            return place.account, GLOBAL_CONTROL_PLANE_REGION
        if place.region == "global":
            return place.account, self._run.source_region if side is Side.SOURCE else self._run.target_region
        return place.account, place.region


def _shared_core() -> Any:
    """Return a botocore session that shares its loader (and so its parsed service models) with all others."""
    from botocore.session import Session

    core = Session()
    core.register_component("data_loader", _loader())
    return core


def _loader() -> Any:
    global _LOADER  # noqa: PLW0603 - parsed service models are immutable and cost seconds to parse
    if _LOADER is None:
        from botocore.loaders import Loader

        _LOADER = Loader()
    return _LOADER


_LOADER: Any = None
