"""Managed replication: the service keeps a read-only copy of every index of the primary domain in the secondary. Pure.

An ejected former primary is read-only until its peer is removed, or until it is paired again, which discards its data (API
reference, ReplicationPeer). So it is never removed here, which would open it to writers, but paired again once a snapshot
holds its data.
"""

from __future__ import annotations

from dataclasses import replace

from adapters.opensearch.domains import held, scale, standing, there, wanted_size
from adapters.opensearch.models import Peer
from adapters.opensearch.view import DomainSide, OpenSearchView
from adapters.opensearch.view_states import Peering
from orchestrator.contract import Call, Param, Place, RunContext, Step, blocked, busy, done, failed, skip, todo
from orchestrator.words import Effect, Mode, Phase, Side

PRIMARY, SECONDARY = "PRIMARY", "SECONDARY"
_CHANGING = (Peering.SWITCHING_OVER, Peering.FAILING_OVER, Peering.PENDING_SETUP, Peering.PENDING_REMOVAL)
_SETTLED_SECONDS = 60
"""After this long without effect a call counts as not having worked."""
_HUNG_SECONDS = 120
"""How long an emergency run watches a switchover that was begun before it, and that the lost Region cannot finish."""


def leads(view: OpenSearchView) -> bool:
    """Say whether the target is the primary."""
    return view.target.role == PRIMARY


def in_step(view: OpenSearchView) -> bool:
    """Say whether the relationship replicates, whoever leads."""
    peer = view.target.peer
    return peer is not None and peer.Status is Peering.ACTIVE and peer.PeerDomainArn == view.member.source.arn


def shown(side: DomainSide) -> str:
    """Return role and status for people."""
    peer = side.peer
    state = f"{side.role or 'no role'}, {peer.Status if peer else 'no peer'}"
    return f"{side.place.id} in {side.place.region} is {state}{f' ({peer.StatusMessage})' if peer and peer.StatusMessage else ''}"


def instantiate(view: OpenSearchView, run: RunContext) -> list[Step]:
    """Size the target, and pair it where it is not."""
    if leads(view):
        return skip("the target side is the primary already")
    return [standing(view.target), scale(view, run), _pair(view)]


def _pair(view: OpenSearchView) -> Step:
    name, peer = "pair", view.target.peer
    call = _add(view.member.source, view.member.target, Side.SOURCE)
    by_hand = f"when it may be overwritten: {pairing_command(view.member.source, view.member.target)}; then retry."
    if in_step(view):
        return done(name, shown(view.target), effect=Effect.REVERSIBLE)
    if peer is not None and peer.Status is Peering.PENDING_SETUP:
        return busy(name, shown(view.target), effect=Effect.REVERSIBLE, call=call)
    if peer is not None and peer.Status is Peering.FAILED:
        return failed(
            name, shown(view.target), "aws opensearch remove-replication-peer, correct the cause, then retry."
        )
    if peer is not None:
        return blocked(name, f"{shown(view.target)}, expected ACTIVE with {view.member.source.arn}", "dr plan")
    if view.target.indices is None:
        return blocked(name, f"{view.target.place.id} is in a VPC: whether it holds indices cannot be seen", by_hand)
    if view.target.indices:
        return blocked(
            name, f"{view.target.place.id} holds {', '.join(view.target.indices)}: pairing discards them", by_hand
        )
    return todo(name, call, Effect.REVERSIBLE, f"{view.target.place.id} is empty and replicates from nobody")


def _add(primary: Place, secondary: Place, where: Side) -> Call:
    return Call("opensearch", "AddReplicationPeer", {"DomainName": primary.id, "PeerDomainArn": secondary.arn}, where)


def pairing_command(primary: Place, secondary: Place) -> str:
    """Return what a person types to pair two domains."""
    named = f"--domain-name {primary.id} --peer-domain-arn {secondary.arn}"
    return f"aws opensearch add-replication-peer --region {primary.region} {named}"


def activate(view: OpenSearchView, run: RunContext) -> list[Step]:
    """Switch over without loss; in an emergency fail over with it."""
    if run.mode is Mode.EMERGENCY:
        return [_fail_over(view, run), there(view.target)]
    switch = _switch_over("switch-over", view.target, view.member.source, Side.TARGET, run)
    return [there(view.target), switch]


def _switch_over(name: str, side: DomainSide, primary: Place, where: Side, run: RunContext) -> Step:
    call = Call(
        "opensearch", "SwitchoverReplication", {"DomainName": side.place.id, "PeerDomainArn": primary.arn}, where
    )
    peer = side.peer
    if side.role == PRIMARY and (peer is None or peer.Status not in _CHANGING):
        return done(name, shown(side), effect=Effect.REVERSIBLE)
    if peer is not None and peer.Status in _CHANGING:
        return busy(name, shown(side), effect=Effect.REVERSIBLE, call=call)
    if peer is None or peer.Status is not Peering.ACTIVE or peer.PeerDomainArn != primary.arn:
        return blocked(name, f"{shown(side)}, expected ACTIVE with {primary.arn}", "dr plan", call=call)
    return _without_effect(name, side, peer, run) or todo(name, call, Effect.REVERSIBLE, shown(side))


def _without_effect(name: str, side: DomainSide, peer: Peer, run: RunContext) -> Step | None:
    """Fail when AWS says that the call of this attempt did not work."""
    waited = run.seconds_since(name)
    if waited is None or waited < _SETTLED_SECONDS or not peer.StatusMessage:
        return None
    return failed(name, shown(side), "correct the cause named there, then retry.")


def _fail_over(view: OpenSearchView, run: RunContext) -> Step:
    name, side, peer = "fail-over", view.target, view.target.peer
    params: dict[str, Param] = {
        "DomainName": side.place.id,
        "PeerDomainArn": view.member.source.arn,
        "AllowDataLoss": True,
    }
    call = Call("opensearch", "FailoverReplication", params, Side.TARGET)
    if side.role == PRIMARY and (peer is None or peer.Status not in _CHANGING):
        return done(name, shown(side), effect=Effect.IRREVERSIBLE)
    if peer is None:
        return blocked(name, f"{shown(side)}: nothing was replicated to it", "restore a snapshot there, then retry.")
    if peer.Status is Peering.SWITCHING_OVER and (run.now - run.started_at).total_seconds() > _HUNG_SECONDS:
        return todo(name, call, Effect.IRREVERSIBLE, f"{shown(side)}: the lost Region cannot finish that")
    if peer.Status is Peering.PENDING_SETUP:
        return blocked(name, f"{shown(side)}: its copy is not complete", "restore a snapshot there, then retry.")
    if peer.Status in _CHANGING:
        return busy(name, shown(side), effect=Effect.IRREVERSIBLE, call=call)
    if peer.Status is not Peering.ACTIVE:
        return blocked(name, f"{shown(side)}, expected ACTIVE", "decide by hand which domain holds the newest data.")
    return _without_effect(name, side, peer, run) or todo(name, call, Effect.IRREVERSIBLE, shown(side))


def cleanup(view: OpenSearchView, run: RunContext) -> list[Step]:
    """Leave the old primary alone: it is the copy already, or AWS keeps it read-only."""
    source = view.source
    if not leads(view):
        return [blocked("old-primary", f"{shown(view.target)}, expected PRIMARY", "run ACTIVATE first.")]
    if source is None or source.domain is None:
        return skip("there is no old primary to quiesce")
    if in_step(view):
        return skip("the old primary is the reverse replica; nothing to quiesce")
    if source.peer is not None and source.peer.Status is Peering.EJECTED:
        return skip("AWS has ejected the old primary: it is read-only, and keeps what it held")
    remedy = "stop its writers, inspect it, then pair it again: " + pairing_command(
        view.member.target, view.member.source
    )
    return [blocked("old-primary", f"{shown(source)}, expected EJECTED or the copy of the target", remedy)]


def replicate(view: OpenSearchView, run: RunContext) -> list[Step]:
    """Verify the way back; pair an ejected primary again when a snapshot holds its data."""
    name, source, peer = "reverse-replica", view.source, view.target.peer
    if not leads(view):
        return [blocked(name, f"{shown(view.target)}, expected PRIMARY", "run ACTIVATE first.")]
    if in_step(view):
        return [done(name, shown(view.target))]
    if peer is not None and peer.Status is Peering.FAILED:
        return [
            failed(name, shown(view.target), "aws opensearch remove-replication-peer, correct the cause, then retry.")
        ]
    call = _add(view.member.target, view.member.source, Side.TARGET)
    if peer is not None and peer.Status in _CHANGING:
        return [busy(name, shown(view.target), effect=Effect.COMPENSABLE, call=call)]
    if source is None or source.domain is None:
        return [blocked(name, f"there is no domain {view.member.source.id}", "create it again, then retry.")]
    ejected = source.peer is not None and source.peer.Status is Peering.EJECTED
    if source.indices is None or (source.indices and not ejected):
        seen = "its indices cannot be seen" if source.indices is None else "it holds indices and is not read-only"
        remedy = f"take a snapshot of it; then: {pairing_command(view.member.target, view.member.source)}; then retry."
        return [blocked(name, f"{shown(source)}: {seen}; pairing discards its data", remedy)]
    kept = held("snapshot-of-ejected-data", source, source.indices, run.started_at, run.now)
    pair = todo(name, call, Effect.COMPENSABLE, f"{shown(view.target)}; pairing discards what the old primary holds")
    return [kept, pair]


def rollback(phase: Phase, view: OpenSearchView, run: RunContext) -> list[Step]:
    """Switch back while nothing was lost."""
    if phase is not Phase.ACTIVATE:
        return skip(f"{phase} changed nothing that must be undone")
    if run.mode is Mode.EMERGENCY:
        if not leads(view):
            return skip("nothing was failed over")
        return [blocked("switch-back", "a forced failover cannot be undone", "later: dr start --operation failback")]
    assert view.source is not None
    return [_switch_over("switch-back", view.source, view.member.target, Side.SOURCE, run)]


def after(phase: Phase, view: OpenSearchView, run: RunContext) -> OpenSearchView:
    """Foresee size, pair and roles."""
    target, source = view.target, view.source
    if run.mode is Mode.DRILL or target.domain is None:
        return view
    if phase is Phase.INSTANTIATE and not leads(view):
        config = target.domain.ClusterConfig.model_copy(update=dict(wanted_size(view)))
        domain = target.domain.model_copy(update={"ClusterConfig": config})
        peer = Peer(PeerDomainArn=view.member.source.arn, Status=Peering.ACTIVE)
        return replace(view, target=replace(target, domain=domain, role=SECONDARY, peer=peer))
    if phase is Phase.ACTIVATE and not leads(view):
        lost = run.mode is Mode.EMERGENCY
        status = Peering.DETACHED if lost else Peering.ACTIVE
        new = replace(target, role=PRIMARY, peer=Peer(PeerDomainArn=view.member.source.arn, Status=status))
        back = Peer(PeerDomainArn=view.member.target.arn, Status=Peering.ACTIVE)
        return replace(view, target=new, source=replace(source, role=SECONDARY, peer=back) if source else None)
    return view
