"""The ways back and out: what undoes ACTIVATE, and which versions of the source side are deleted in the end."""

from __future__ import annotations

from adapters.lambda_.spec import VERSIONS_KEPT
from adapters.lambda_.switch import CLOSE, OPEN, provision, release, reserve, serves, shift, start, stop
from adapters.lambda_.view import LambdaSide, LambdaView, number_of, remembered, wanted
from orchestrator.contract import Call, RunContext, Step, blocked, done, skip, todo
from orchestrator.words import Effect, Mode, Side


def prune(view: LambdaView) -> list[Step]:
    """Return the steps that delete old versions of the source side, once the target side serves and the source is closed."""
    name = "prune-versions"
    if view.source.function is None:
        return skip(f"there is no function {view.source.name} in {view.source.place.region}")
    why = serves(view.target, wanted(view), lenient=True)
    if why or view.source.reserved != 0 or any(each.on for each in view.source.mappings):
        return [blocked(name, why or f"{view.source.name} is not closed", "run CLEANUP and REPLICATE first.")]
    old = _prunable(view.source)
    kept = len(view.source.versions) - len(old)
    return [*(_prune(view.source, each) for each in old), done(name, f"{kept} version(s) are kept")]


def _prunable(side: LambdaSide) -> list[str]:
    called = {each.FunctionVersion for each in side.aliases} | {v for each in side.aliases for v in each.weights}
    called |= {each.qualifier for each in side.mappings} | {each.qualifier for each in side.provisioned}
    ordered = sorted((each.Version for each in side.versions), key=number_of)
    return [each for each in ordered[: -VERSIONS_KEPT or None] if each not in called]


def _prune(side: LambdaSide, version: str) -> Step:
    call = Call("lambda", "DeleteFunction", {"FunctionName": side.name, "Qualifier": version}, Side.SOURCE)
    return todo(f"prune-version-{version}", call, Effect.IRREVERSIBLE, "nothing calls it, and it is none of the newest")


def set_back(view: LambdaView, run: RunContext) -> list[Step]:
    """Return the steps that set both sides back to what the inventory found; a function that was made stays, closed."""
    before, there, side = remembered(view.member.source), remembered(view.member.target), view.target
    steps: list[Step] = []
    if side.function is not None:
        closed = 0 if there.latest is None else there.reserved
        steps += stop(side, Side.TARGET, keep=there.consuming)
        steps += release(side, Side.TARGET, keep=there.provisioned)
        steps += [shift(side, Side.TARGET, name, each, lenient=True) for name, each in sorted(there.aliases.items())]
        steps += [s for name, n in there.provisioned.items() for s in provision(side, Side.TARGET, name, n, run)]
        steps.append(reserve(side, Side.TARGET, closed, CLOSE if closed == 0 else OPEN))
    if run.mode is Mode.PLANNED:
        steps += start(view.source, Side.SOURCE, before.consuming)
    return steps or skip("nothing was changed")
