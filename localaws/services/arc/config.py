"""The control plane in us-west-2: makes and describes clusters, panels, controls and safety rules.

Timings in AWS seconds. A fault of the scenario acts on `arc.create-cluster`, `arc.create-control-panel`,
`arc.create-routing-control` and `arc.create-safety-rule` (resource: the ARN).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from moto.moto_api._internal import mock_random

from localaws.service import Call, Reply, Service, operation
from localaws.services.arc.cluster import RecoveryClusterService
from localaws.services.arc.models import (
    OFF,
    REGIONS,
    Cluster,
    Control,
    Deployment,
    Panel,
    Rule,
    Status,
    account_of,
    conflict,
    invalid,
    not_found,
)

CLUSTER_SECONDS = 300.0
PART_SECONDS = 20.0
PAGE = 1000
Thing = TypeVar("Thing", Cluster, Panel, Control, Rule)


class RecoveryControlConfigService(Service):
    """route53-recovery-control-config."""

    name: ClassVar[str] = "route53-recovery-control-config"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        """Forget which tokens were used; everything else is with the data plane."""
        self._tokens: dict[tuple[str, str, str], Any] = {}

    @property
    def deployment(self) -> Deployment:
        """Return what the data plane holds."""
        cluster = self.world.service("route53-recovery-cluster")
        assert isinstance(cluster, RecoveryClusterService)
        return cluster.deployment

    def settle(self) -> None:
        """Deploy everything at once: an estate starts with what is up."""
        kept = self.deployment
        for cluster in kept.clusters.values():
            cluster.status = Status.DEPLOYED
        parts: list[Any] = [*kept.panels.values(), *kept.controls.values(), *kept.rules.values()]
        for part in parts:
            part.status = Status.DEPLOYED

    @operation("CreateCluster")
    def create_cluster(self, call: Call) -> Reply:
        """Create a cluster and its default panel. Raises ConflictException for a name in use."""
        name = call.params["ClusterName"]

        def make() -> Cluster:
            self._unique(name, [c for c in self.deployment.clusters.values() if c.account == call.account])
            made = Cluster(f"{_prefix(call)}:cluster/{uuid.uuid4()}", name, call.account, _id(8))
            self.deployment.clusters[made.arn] = made
            default = Panel(f"{_prefix(call)}:controlpanel/{_id(32)}", "DefaultControlPanel", made, is_default=True)
            self.deployment.panels[default.arn] = default

            def deployed() -> None:
                made.status = default.status = Status.DEPLOYED

            self.world.transition("arc.create-cluster", made.arn, CLUSTER_SECONDS, deployed)
            return made

        return {"Cluster": self._cluster(self._once(call, make))}

    @operation("DescribeCluster")
    def describe_cluster(self, call: Call) -> Reply:
        """Describe a cluster with its endpoints. Raises ResourceNotFoundException."""
        return {"Cluster": self._cluster(self._open(call, call.params["ClusterArn"]))}

    @operation("ListClusters")
    def list_clusters(self, call: Call) -> Reply:
        """List the account's clusters, and those shared with it."""
        found = [c for c in self.deployment.clusters.values() if call.account in {c.account, *c.participants}]
        return _page(call, "Clusters", [self._cluster(c) for c in found])

    @operation("CreateControlPanel")
    def create_control_panel(self, call: Call) -> Reply:
        """Create a control panel. Raises ResourceNotFoundException, ConflictException."""
        name = call.params["ControlPanelName"]

        def make() -> Panel:
            cluster = _ready(self._open(call, call.params["ClusterArn"]))
            self._unique(name, [p for p in self.deployment.panels.values() if p.cluster is cluster])
            made = Panel(f"{_prefix(call)}:controlpanel/{_id(32)}", name, cluster)
            return self._deploy(call, "arc.create-control-panel", self.deployment.panels, made)

        return {"ControlPanel": self._panel(self._once(call, make))}

    @operation("DescribeControlPanel")
    def describe_control_panel(self, call: Call) -> Reply:
        """Describe a control panel. Raises ResourceNotFoundException."""
        return {"ControlPanel": self._panel(_find(call, self.deployment.panels, call.params["ControlPanelArn"]))}

    @operation("ListControlPanels")
    def list_control_panels(self, call: Call) -> Reply:
        """List control panels, of one cluster or all."""
        wanted = call.params.get("ClusterArn")
        found = [p for p in _mine(call, self.deployment.panels) if not wanted or p.cluster.arn == wanted]
        return _page(call, "ControlPanels", [self._panel(panel) for panel in found])

    @operation("CreateRoutingControl")
    def create_routing_control(self, call: Call) -> Reply:
        """Create a routing control, Off. Raises ResourceNotFoundException, ConflictException."""
        name = call.params["RoutingControlName"]

        def make() -> Control:
            cluster = _ready(self._open(call, call.params["ClusterArn"]))
            default = next(p for p in self.deployment.panels.values() if p.cluster is cluster and p.is_default)
            wanted = call.params.get("ControlPanelArn")
            panel = self._deployed(call, self.deployment.panels, wanted) if wanted else default
            self._unique(name, [c for c in self.deployment.controls.values() if c.panel is panel])
            made = Control(f"{panel.arn}/routingcontrol/{_id(16)}", name, panel)
            return self._deploy(call, "arc.create-routing-control", self.deployment.controls, made)

        return {"RoutingControl": _control(self._once(call, make))}

    @operation("DescribeRoutingControl")
    def describe_routing_control(self, call: Call) -> Reply:
        """Describe a routing control; its state is the data plane's. Raises ResourceNotFoundException."""
        return {"RoutingControl": _control(_find(call, self.deployment.controls, call.params["RoutingControlArn"]))}

    @operation("ListRoutingControls")
    def list_routing_controls(self, call: Call) -> Reply:
        """List the controls of a panel. Raises ResourceNotFoundException."""
        panel = _find(call, self.deployment.panels, call.params["ControlPanelArn"])
        found = [_control(c) for c in self.deployment.controls.values() if c.panel is panel]
        return _page(call, "RoutingControls", found)

    @operation("DeleteRoutingControl")
    def delete_routing_control(self, call: Call) -> Reply:
        """Delete a routing control. Raises ResourceNotFoundException, ConflictException while rules or On need it."""
        control = _find(call, self.deployment.controls, call.params["RoutingControlArn"])
        users = [r.name for r in self.deployment.rules.values() if control.arn in (*r.controls, *(r.targets or ()))]
        if users or control.state != OFF:
            raise conflict(f"{control.name} is {control.state} and used by safety rules {users}.")
        del self.deployment.controls[control.arn]
        return {}

    @operation("CreateSafetyRule")
    def create_safety_rule(self, call: Call) -> Reply:
        """Create an assertion or a gating rule. Raises ValidationException, ResourceNotFoundException."""
        given = [call.params[name] for name in ("AssertionRule", "GatingRule") if call.params.get(name)]
        if len(given) != 1:
            raise invalid("Give either AssertionRule or GatingRule.")

        def make() -> Rule:
            settings = given[0]
            panel = self._deployed(call, self.deployment.panels, settings["ControlPanelArn"])
            controls = settings.get("AssertedControls") or settings.get("GatingControls") or []
            targets = settings.get("TargetControls")
            for arn in (*controls, *(targets or ())):
                _find(call, self.deployment.controls, arn)
            made = Rule(
                arn=f"{panel.arn}/safetyrule/{_id(16)}",
                name=settings["Name"],
                panel=panel,
                controls=tuple(controls),
                targets=None if targets is None else tuple(targets),
                config=dict(settings["RuleConfig"]),
                wait_ms=int(settings["WaitPeriodMs"]),
            )
            return self._deploy(call, "arc.create-safety-rule", self.deployment.rules, made)

        return _rule(self._once(call, make), "AssertionRule", "GatingRule")

    @operation("DescribeSafetyRule")
    def describe_safety_rule(self, call: Call) -> Reply:
        """Describe a safety rule. Raises ResourceNotFoundException."""
        found = _find(call, self.deployment.rules, call.params["SafetyRuleArn"])
        return _rule(found, "AssertionRule", "GatingRule")

    @operation("ListSafetyRules")
    def list_safety_rules(self, call: Call) -> Reply:
        """List the safety rules of a panel. Raises ResourceNotFoundException."""
        panel = _find(call, self.deployment.panels, call.params["ControlPanelArn"])
        found = [_rule(r, "ASSERTION", "GATING") for r in self.deployment.rules.values() if r.panel is panel]
        return _page(call, "SafetyRules", found)

    @operation("DeleteSafetyRule")
    def delete_safety_rule(self, call: Call) -> Reply:
        """Delete a safety rule. Raises ResourceNotFoundException."""
        del self.deployment.rules[_find(call, self.deployment.rules, call.params["SafetyRuleArn"]).arn]
        return {}

    @operation("TagResource")
    def tag_resource(self, call: Call) -> Reply:
        """Tag a cluster, panel or rule."""
        self.deployment.tags.setdefault(call.params["ResourceArn"], {}).update(call.params["Tags"])
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call) -> Reply:
        """Return the tags of a cluster, panel or rule."""
        return {"Tags": dict(self.deployment.tags.get(call.params["ResourceArn"], {}))}

    def _once(self, call: Call, make: Callable[[], Thing]) -> Thing:
        token = call.params.get("ClientToken")
        key = (call.account, call.operation, str(token))
        if token is not None and key in self._tokens:
            known: Thing = self._tokens[key]
            return known
        made = make()
        self._tokens[key] = made
        if call.params.get("Tags"):
            self.deployment.tags[made.arn] = dict(call.params["Tags"])
        return made

    def _deploy(self, call: Call, kind: str, shelf: dict[str, Thing], made: Thing) -> Thing:
        shelf[made.arn] = made

        def deployed() -> None:
            made.status = Status.DEPLOYED

        self.world.transition(kind, made.arn, PART_SECONDS, deployed)
        return made

    def share(self, arn: str, account: str) -> None:
        """Share a cluster with an account, as a resource share of AWS RAM does."""
        self.deployment.clusters[arn].participants.add(account)

    def _open(self, call: Call, arn: str) -> Cluster:
        found = self.deployment.clusters.get(arn)
        if found is None or call.account not in {found.account, *found.participants}:
            raise not_found(arn)
        return found

    def _deployed(self, call: Call, shelf: Mapping[str, Thing], arn: str) -> Thing:
        return _ready(_find(call, shelf, arn))

    def _unique(self, name: str, others: Iterable[Thing]) -> None:
        if any(other.name == name for other in others):
            raise conflict(f"There is a {name} already.")

    def _cluster(self, cluster: Cluster) -> dict[str, Any]:
        shown = {
            "ClusterArn": cluster.arn,
            "Name": cluster.name,
            "Status": str(cluster.status),
            "Owner": cluster.account,
        }
        if cluster.status is Status.PENDING:
            return {**shown, "ClusterEndpoints": []}
        # The embedded AWS has one address; the Region of the signature tells its five endpoints apart.
        here = self.world.endpoint_url
        hosts = {r: here or f"https://{cluster.id}.route53-recovery-cluster.{r}.amazonaws.com/v1" for r in REGIONS}
        return {**shown, "ClusterEndpoints": [{"Region": r, "Endpoint": host} for r, host in hosts.items()]}

    def _panel(self, panel: Panel) -> dict[str, Any]:
        return {
            "ClusterArn": panel.cluster.arn,
            "ControlPanelArn": panel.arn,
            "DefaultControlPanel": panel.is_default,
            "Name": panel.name,
            "RoutingControlCount": sum(control.panel is panel for control in self.deployment.controls.values()),
            "Status": str(panel.status),
            "Owner": account_of(panel.arn),
        }


def _control(control: Control) -> dict[str, Any]:
    return {
        "ControlPanelArn": control.panel.arn,
        "Name": control.name,
        "RoutingControlArn": control.arn,
        "Status": str(control.status),
        "Owner": account_of(control.arn),
    }


def _rule(rule: Rule, assertion: str, gating: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "ControlPanelArn": rule.panel.arn,
        "Name": rule.name,
        "RuleConfig": dict(rule.config),
        "SafetyRuleArn": rule.arn,
        "Status": str(rule.status),
        "WaitPeriodMs": rule.wait_ms,
        "Owner": account_of(rule.arn),
    }
    if rule.targets is None:
        return {assertion: {**shown, "AssertedControls": list(rule.controls)}}
    return {gating: {**shown, "GatingControls": list(rule.controls), "TargetControls": list(rule.targets)}}


def _ready(found: Thing) -> Thing:
    if found.status is not Status.DEPLOYED:
        raise conflict(f"{found.name} is {found.status}; it must be DEPLOYED.")
    return found


def _find(call: Call, shelf: Mapping[str, Thing], arn: str) -> Thing:
    found = shelf.get(arn)
    if found is None or account_of(arn) != call.account:
        raise not_found(arn)
    return found


def _mine(call: Call, shelf: Mapping[str, Thing]) -> list[Thing]:
    return [thing for thing in shelf.values() if account_of(thing.arn) == call.account]


def _page(call: Call, member: str, found: list[dict[str, Any]]) -> Reply:
    start = int(call.params.get("NextToken") or 0)
    end = start + int(call.params.get("MaxResults") or PAGE)
    reply: dict[str, Any] = {member: found[start:end]}
    return {**reply, "NextToken": str(end)} if end < len(found) else reply


def _prefix(call: Call) -> str:
    return f"arn:aws:route53-recovery-control::{call.account}"


def _id(length: int) -> str:
    return str(mock_random.get_random_hex(length))
