"""EventBridge: the same rules in both Regions; those of one side are enabled, and a global endpoint sends events there.

instantiate  what the standby lacks: events.PutRule (DISABLED) and events.PutTargets with ARNs of its Region;
             drill: sqs.CreateQueue, copies of the rules (PutRule, PutTargets) that send to it alone
activate     rule-toggle: events.DisableRule on the source side, a minute of rest, events.EnableRule on the target side;
             global-endpoint: EnableRule on the target side, then route53.UpdateHealthCheck turns the endpoint to it
cleanup      events.DisableRule on the source side (after an outage: its first chance), with an endpoint held first;
             events.StartReplay when the manifest asks for it; drill: RemoveTargets, DeleteRule, DeleteQueue
replicate    what the source side now lacks, as in instantiate; its rules stay there, DISABLED

A tagged bus stands for its rules that carry the same Customer, Environment and dr:enabled; a tagged rule of another bus for
itself. Which rules belong on is what either side had enabled when the inventory was taken, or the tag dr:rule-state (on,
off). A rule that is disabled on both sides without that tag is red: a move that was interrupted leaves the same picture.
In an emergency only the target side is touched; an endpoint then moves by its own health check, whose data plane works.
The archive, the bus and every rule of production stay: deleting them is not this adapter's work (see SPEC.refuses).

Facts beyond the reference: PutRule ignores tags when it replaces a rule; a rule's metrics have the dimension RuleName on
the default bus and EventBusName too on others, and FailedInvocations only exists when it is not zero (API reference; user
guide, "Monitoring"). After an outage an endpoint returns to its primary Region as soon as the check is healthy, so CLEANUP
holds it before it silences the source side (user guide, "global endpoints").
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from adapters.eventbridge import drill, endpoint, readiness
from adapters.eventbridge.discovery import find
from adapters.eventbridge.models import RuleState, facts_of
from adapters.eventbridge.replay import replayed
from adapters.eventbridge.rules import (
    all_there,
    at_rest,
    completed,
    make_missing,
    scheduled,
    switch_off,
    switch_on,
    switched,
)
from adapters.eventbridge.spec import GLOBAL_ENDPOINT, SPEC
from adapters.eventbridge.view import EventBridgeView, look
from orchestrator.contract import (
    Adapter,
    Check,
    Clients,
    Finding,
    Found,
    Loss,
    Place,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    done,
    skip,
)
from orchestrator.words import CheckState, Mode, Phase, Side


class EventBridgeAdapter(Adapter[EventBridgeView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return the tagged buses with their rules, and the tagged rules of other buses."""
        return find(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> EventBridgeView:
        """Read the rules of both sides, in an emergency of the target side."""
        return look(target, aws, run)

    def readiness(self, view: EventBridgeView, run: RunContext) -> list[Finding]:
        """Judge rules, targets, what differs between the sides, and the endpoint."""
        return readiness.findings(view, run)

    def loss(self, view: EventBridgeView, run: RunContext) -> list[Loss]:
        """Lose what a lost bus took and did not deliver: nobody can count it, an archive keeps it."""
        me = view.member.resource_id
        if view.strategy == GLOBAL_ENDPOINT and view.endpoint and view.endpoint.facts.replicated:
            return [Loss(me, 0.0, "the endpoint replicates events to both Regions")]
        return [
            Loss(me, None, "events that the source side's bus took and did not deliver stay there, and in its archive")
        ]

    def instantiate(self, view: EventBridgeView, run: RunContext) -> list[Step]:
        """Make what the target side lacks, disabled; in a drill, copies that send to a queue of their own."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        if view.source is None:
            return skip("the source side is not read in an emergency")
        return make_missing(view, view.target, view.source, Side.TARGET, run)

    def activate(self, view: EventBridgeView, run: RunContext) -> list[Step]:
        """Silence the source side where both would act, enable the target side, turn the endpoint."""
        if run.mode is Mode.DRILL:
            return skip("the drill's copies are enabled already; the rules themselves stay as they are")
        stopped = all_there(view)
        if stopped:
            return stopped
        steps: list[Step] = []
        if view.source is not None:
            silenced = switch_off(view, view.source, Side.SOURCE, _silenced_first(view))
            steps += [*silenced, at_rest(silenced, run)] if silenced else []
        steps += switch_on(view, view.target, Side.TARGET, view.on)
        return [*steps, *self._pointed(view, run, run.target_region)]

    def cleanup(self, view: EventBridgeView, run: RunContext) -> list[Step]:
        """Silence the source side once the target side serves; in a drill, remove its copies."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if view.source is None:
            return [
                blocked("silence", "the source side is not reached in an emergency", "run CLEANUP when it is back.")
            ]
        if not view.serving:
            idle = ", ".join(name for name in view.names if name in view.on and not view.target.enabled(name))
            reason = f"{idle}: not enabled in {view.target.place.region}; the source side stays as it is"
            return [blocked("silence", reason, "run ACTIVATE first.")]
        held = self._pointed(view, run, run.target_region)
        silenced = switch_off(view, view.source, Side.SOURCE, view.names)
        return [*held, *silenced, *replayed(view, view.source)]

    def replicate(self, view: EventBridgeView, run: RunContext) -> list[Step]:
        """Make what the source side lacks, and verify that it stands by."""
        if run.mode is Mode.DRILL or view.source is None:
            return skip("a drill or emergency changes no standby")
        awake = [name for name in view.names if view.source.enabled(name)]
        if awake:
            reason = f"{', '.join(awake)}: enabled in {view.source.place.region} too, expected DISABLED"
            return [blocked("standby", reason, "run CLEANUP first.")]
        steps = make_missing(view, view.source, view.target, Side.SOURCE, run)
        return [*steps, done("standby", f"{len(view.names)} rule(s) stand by in {view.source.place.region}")]

    def rollback(self, phase: Phase, view: EventBridgeView, run: RunContext) -> list[Step]:
        """Toggle back to what the inventory found; silencing a source side after an outage stays."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if phase is Phase.ACTIVATE:
            return self._toggle_back(view, run)
        if phase is Phase.CLEANUP and view.strategy == GLOBAL_ENDPOINT and view.source is not None:
            before = _enabled_before(view.member.source)
            return switch_on(view, view.source, Side.SOURCE, before - scheduled(view)) or skip("nothing was enabled")
        if phase is Phase.CLEANUP:
            return skip("the target side's rules are enabled: enabling the source side's too would do the work twice")
        return skip(f"what {phase} made stands by, disabled: nothing must be undone")

    def health(self, view: EventBridgeView, run: RunContext) -> list[Check]:
        """Check that the target side's rules are enabled, have targets, and reach them, and where the endpoint points."""
        if run.mode is Mode.DRILL:
            return drill.health(view, run)
        me, here = view.member.resource_id, view.target
        idle = [name for name in view.names if name in view.on and not here.enabled(name)]
        text = f"not enabled: {', '.join(idle)}" if idle else f"{len(view.on)} rule(s) enabled"
        checks = [Check(me, "rules", CheckState.SETTLING if idle else CheckState.HEALTHY, text)]
        bare = [] if idle else [name for name in sorted(view.on) if not here.targets.get(name)]
        text = f"without targets: {', '.join(bare)}" if bare else "every rule has a target"
        checks.append(Check(me, "targets", CheckState.UNHEALTHY if bare else CheckState.HEALTHY, text))
        lost = [f"{name}: {count:.0f}" for name, count in sorted(view.failures.items())]
        text = f"failed in the last minutes: {', '.join(lost)}" if lost else "no invocation failed"
        checks.append(Check(me, "invocations", CheckState.SETTLING if lost else CheckState.HEALTHY, text))
        if view.source is not None:
            both = sorted(name for name in scheduled(view) if here.enabled(name) and view.source.enabled(name))
            text = f"enabled in both Regions: {', '.join(both)}" if both else "no schedule runs in both Regions"
            checks.append(Check(me, "schedules", CheckState.UNHEALTHY if both else CheckState.HEALTHY, text))
        return [*checks, *(endpoint.checks(view, run.target_region) if view.strategy == GLOBAL_ENDPOINT else [])]

    def after(self, phase: Phase, view: EventBridgeView, run: RunContext) -> EventBridgeView:
        """Foresee which rules are there and enabled, and the endpoint's health check."""
        if run.mode is Mode.DRILL:
            return drill.foreseen(view, run, made=phase is not Phase.CLEANUP)
        if phase is Phase.INSTANTIATE:
            return replace(view, target=completed(view.target, view.source, view.names)) if view.source else view
        if phase is Phase.ACTIVATE:
            here = switched(view.target, view.on, RuleState.ENABLED)
            there = switched(view.source, _silenced_first(view), RuleState.DISABLED) if view.source else None
            moved = replace(view, target=here, source=there)
            return endpoint.foreseen(moved, run.target_region) if view.strategy == GLOBAL_ENDPOINT else moved
        if phase is Phase.CLEANUP and view.source is not None:
            return replace(view, source=switched(view.source, view.names, RuleState.DISABLED))
        return view

    def _pointed(self, view: EventBridgeView, run: RunContext, region: str) -> list[Step]:
        return endpoint.point(view, run, region) if view.strategy == GLOBAL_ENDPOINT else []

    def _toggle_back(self, view: EventBridgeView, run: RunContext) -> list[Step]:
        """Undo ACTIVATE: the endpoint first, then the target side off, then the source side on as it was."""
        steps = self._pointed(view, run, run.source_region)
        idle = set(view.names) - _enabled_before(view.member.target)
        silenced = switch_off(view, view.target, Side.TARGET, idle)
        steps += [*silenced, at_rest(silenced, run)] if silenced else []
        if view.source is None:
            return steps or skip("the target side is as it was; the source side is not reached in an emergency")
        return [*steps, *switch_on(view, view.source, Side.SOURCE, _enabled_before(view.member.source))]


def _silenced_first(view: EventBridgeView) -> Collection[str]:
    """Return what must not run on both sides; with an endpoint, events still arrive at the source side meanwhile."""
    return scheduled(view) if view.strategy == GLOBAL_ENDPOINT else view.names


def _enabled_before(place: Place) -> frozenset[str]:
    """Return the rules that a side had enabled when the inventory was taken."""
    return frozenset(name for name, state in facts_of(place).rules.items() if state is not RuleState.DISABLED)
