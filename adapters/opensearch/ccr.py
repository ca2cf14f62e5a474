"""Cross-cluster replication: every index of the target domain follows one of the source domain. Pure.

`_stop` turns a follower into an index of its own; it cannot be taken back, and needs no leader (cross-cluster-replication
pull request 69: it goes through when the leader cannot be reached).
"""

from __future__ import annotations

from dataclasses import replace

from adapters.opensearch import drill
from adapters.opensearch.domains import block, fence, held, per_index, request, scale, standing, there, wanted_size
from adapters.opensearch.links import PLUGIN, connect, disconnect, follow, foreseen_link, start_rules, stop_rules
from adapters.opensearch.models import Follow, Rule
from adapters.opensearch.spec import DRAIN_BOUND_SECONDS, DRAIN_SETTLE_SECONDS, FAILED_FOLLOWS
from adapters.opensearch.view import DomainSide, Index, OpenSearchView
from adapters.opensearch.view_states import Sync
from orchestrator.contract import RunContext, Step, blocked, busy, done, skip, todo
from orchestrator.words import Effect, Mode, Phase, Side

_ROLLBACK = "answer the failure gate with rollback to let clients write to the source side again"


def is_reversed(view: OpenSearchView) -> bool:
    """Say whether the source side follows the target already."""
    return view.source is not None and bool(view.source.followers)


def promoted(view: OpenSearchView) -> bool:
    """Say whether the target side follows nobody and holds what it once followed."""
    return bool(view.target.user_indices) and not view.target.followers


def switched(view: OpenSearchView) -> bool:
    """Say whether the roles have changed: the target stands alone and nobody can write to the source side."""
    free = view.source.user_indices.values() if view.source is not None else ()
    return promoted(view) and not any(each.writable for each in free)


def rules_of(view: OpenSearchView) -> tuple[Rule, ...]:
    """Return the autofollow rules of the target side as it has them, or as the inventory remembers them."""
    told = view.member.target.facts.get("rules")
    remembered = tuple(Rule.model_validate(each) for each in told) if isinstance(told, list) else ()
    return view.target.rules or remembered


def instantiate(view: OpenSearchView, run: RunContext) -> list[Step]:
    """Size and connect the target, and let it follow whatever it does not follow yet."""
    if switched(view):
        return skip("the target side leads already")
    assert view.source is not None
    made = connect(view.target, view.source, Side.TARGET, run)
    return [standing(view.target), scale(view, run), *made, *follow(view.target, view.source, Side.TARGET)]


def activate(view: OpenSearchView, run: RunContext) -> list[Step]:
    """Stop following: in a planned run behind the fence and without lag."""
    if not view.target.user_indices:
        why = f"there is no index in {view.target.place.id}: nothing was replicated to {view.target.place.region}"
        return [blocked("stop", why, "restore a snapshot there, then retry.")]
    leader = view.source or DomainSide(view.member.source)
    indices = view.target.user_indices
    names = per_index("stop", indices)
    stops = [_stop(names[each.name], view.target, each) for each in indices.values()]
    stops += block("writable", view.target, Side.TARGET, indices.values(), wanted=False)
    rules = stop_rules(view.target, leader, Side.TARGET)
    if view.source is None:  # no new index comes from a lost leader: rules wait until clients can write
        return [there(view.target), *stops, *rules]
    return [there(view.target), *fence(view), *rules, _drained(view, view.source, run), *stops]


def _stop(name: str, side: DomainSide, index: Index) -> Step:
    if index.follow is None:
        return done(name, f"{index.name} follows nobody", effect=Effect.IRREVERSIBLE)
    call = request("Post", side, f"{PLUGIN}/{index.name}/_stop", Side.TARGET, {})
    behind = "" if not index.follow.behind else f", {index.follow.behind} operations behind"
    return todo(name, call, Effect.IRREVERSIBLE, f"{index.name} is {index.follow.status}{behind}")


def _drained(view: OpenSearchView, source: DomainSide, run: RunContext) -> Step:
    name, followers = "drain", view.target.followers
    unknown = sorted(
        {each.name for each in source.user_indices.values() if each.is_open} - set(view.target.user_indices)
    )
    if unknown:
        why = f"{', '.join(unknown)} in {source.place.region} is not replicated to {view.target.place.region}"
        return blocked(name, why, f"{_ROLLBACK}, then start the run again: INSTANTIATE lets it follow.")
    if not followers:
        return done(name, f"nothing in {view.target.place.region} follows any more")
    follows = {index: each.follow for index, each in followers.items() if each.follow is not None}
    stuck = [
        f"{index} is {each.status}: {each.reason}" for index, each in follows.items() if each.status in FAILED_FOLLOWS
    ]
    if stuck:
        resume = f"POST {PLUGIN}/INDEX/_resume on {view.target.endpoint}, then retry; or {_ROLLBACK}."
        return blocked(name, "; ".join(stuck), resume)
    late = {index: each.behind for index, each in follows.items() if each.behind != 0}
    fenced = run.called_at.get("fence")
    since = (run.now - (fenced or run.started_at)).total_seconds()
    if not late and (fenced is None or since >= DRAIN_SETTLE_SECONDS):
        return done(name, f"{len(followers)} followers have the checkpoints of their leaders")
    shown = ", ".join(f"{index} {'unknown' if behind is None else behind}" for index, behind in late.items())
    observed = f"operations behind: {shown or 'none'}, {since:.0f} s after the fence"
    if since < DRAIN_BOUND_SECONDS:
        return busy(name, observed)
    return blocked(name, observed, f"find out why it does not catch up, then retry; or {_ROLLBACK}.")


def cleanup(view: OpenSearchView, run: RunContext) -> list[Step]:
    """Keep the old source side fenced and end the connection by which it was followed."""
    if is_reversed(view):
        return skip("the source side follows the target already")
    if not promoted(view):
        why = f"{len(view.target.followers)} indices in {view.target.place.region} still follow the source side"
        return [blocked("fence", why, "run ACTIVATE first.")]
    return [*fence(view), disconnect(view.target, Side.TARGET)]


def replicate(view: OpenSearchView, run: RunContext) -> list[Step]:
    """Let the old source side follow: keep what it holds in a snapshot, delete it, and copy the target's indices."""
    source = view.source
    if source is None or source.domain is None:
        return [blocked("follow", f"there is no domain {view.member.source.id}", "create it again, then retry.")]
    if not promoted(view):
        return [blocked("fence", f"{view.target.place.id} is not the leader", "run ACTIVATE first.")]
    stale = {
        n: each for n, each in source.user_indices.items() if each.follow is None and n in view.target.user_indices
    }
    since = max(run.started_at, run.called_at.get("fence", run.started_at))
    names = per_index("delete-stale", view.target.user_indices)
    return [
        _green(view.target),
        *fence(view),
        held("snapshot-of-stale-indices", source, stale, since, run.now),
        *connect(source, view.target, Side.SOURCE, run),
        *(_delete(names[each], source, each, stale) for each in view.target.user_indices),
        *_follow_anew(view, source, stale),
        *start_rules(source, view.target, rules_of(view), Side.SOURCE),
    ]


def _green(side: DomainSide) -> Step:
    name, observed = "target-green", f"{side.place.id} is {side.health.ClusterHealth}"
    if side.health.ClusterHealth == "Green":
        return done(name, observed)
    if side.health.ClusterHealth == "Yellow":
        return busy(name, f"{observed}, expected Green")
    return blocked(name, f"{observed}, expected Green: nothing of the source side is deleted", "repair it, then retry.")


def _delete(name: str, side: DomainSide, index: str, stale: dict[str, Index]) -> Step:
    if index not in stale:
        return done(name, f"there is no stale {index} in {side.place.region}", effect=Effect.COMPENSABLE)
    call = request("Delete", side, f"/{index}", Side.SOURCE)
    return todo(name, call, Effect.COMPENSABLE, f"{index} in {side.place.region} is in the way of its own follower")


def _follow_anew(view: OpenSearchView, source: DomainSide, stale: dict[str, Index]) -> list[Step]:
    """Return the steps that follow, judged as if the stale indices were gone: the steps before see to that."""
    rest = {name: each for name, each in source.user_indices.items() if name not in stale}
    return follow(source.with_indices(rest), view.target, Side.SOURCE)


def rollback(phase: Phase, view: OpenSearchView, run: RunContext) -> list[Step]:
    """Open the source side again while nothing has stopped following."""
    if phase is not Phase.ACTIVATE:
        return skip(f"{phase} changed nothing that must be undone")
    source = view.source
    stopped = [n for n, each in view.target.user_indices.items() if each.follow is None]
    if stopped:
        why = f"{', '.join(stopped)} stopped following, which cannot be undone"
        return [blocked("unfence", why, "retry ACTIVATE; later: dr start --operation failback")]
    if source is None:
        return skip("nothing stopped following and nothing was fenced")
    free = [each for each in source.user_indices.values() if each.follow is None]
    opened = block("unfence", source, Side.SOURCE, free, wanted=False)
    return [*opened, *start_rules(view.target, source, rules_of(view), Side.TARGET)]


def after(phase: Phase, view: OpenSearchView, run: RunContext) -> OpenSearchView:
    """Foresee connection and followers, the fence, and the way back."""
    if run.mode is Mode.DRILL:
        return replace(view, target=drill.foreseen(view, run, gone=phase is Phase.CLEANUP))
    target, source = view.target, view.source
    if phase is Phase.INSTANTIATE and source is not None and not switched(view):
        sized = _sized(view)
        return replace(view, target=replace(_following(sized, source), outbound=foreseen_link(target, source)))
    if phase is Phase.ACTIVATE:
        alone = {name: replace(each, follow=None, blocked=False) for name, each in target.user_indices.items()}
        return replace(view, target=replace(target.with_indices(alone), rules=()), source=_fenced(source))
    if phase is Phase.CLEANUP and not is_reversed(view):
        return replace(view, target=replace(target, outbound=()), source=_fenced(source))
    return view


def _sized(view: OpenSearchView) -> DomainSide:
    if view.target.domain is None:
        return view.target
    config = view.target.domain.ClusterConfig.model_copy(update=dict(wanted_size(view)))
    return replace(view.target, domain=view.target.domain.model_copy(update={"ClusterConfig": config}))


def _following(side: DomainSide, leader: DomainSide) -> DomainSide:
    new = {n: Index(n, follow=Follow(status=Sync.SYNCING, leader_index=n)) for n in leader.user_indices}
    return side.with_indices({**new, **side.user_indices})


def _fenced(source: DomainSide | None) -> DomainSide | None:
    if source is None:
        return None
    free = {n: each if each.follow else replace(each, blocked=True) for n, each in source.user_indices.items()}
    return source.with_indices(free)
