"""The steps that let a side take calls and events, or keep it from them: concurrency, aliases, event source mappings.

Opening: reserved concurrency, aliases, provisioned concurrency, mappings last. Closing the other way round: mappings before
0, because a queue's mapping without concurrency moves messages to the dead-letter queue. Provisioned concurrency comes after
the alias (the developer guide lets either), so that it is allocated once, for the version that will serve.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from adapters.lambda_.deploy import alias_call, slug
from adapters.lambda_.models import Mapping, MappingState, ProvisionedStatus
from adapters.lambda_.view import LambdaSide, LambdaView, wanted
from adapters.lambda_.view_recipe import LATEST, NEXT, AliasRecipe, Build, Recipe
from orchestrator.contract import Call, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Side

OPEN = "open-function"
CLOSE = "close-function"


def reserve(side: LambdaSide, where: Side, number: int | None, name: str, *, warning: str = "") -> Step:
    """Return the step that reserves concurrency; None reserves nothing, 0 closes."""
    seen = f"reserved concurrency is {told(side.reserved)}"
    if side.reserved == number:
        return done(name, seen, effect=Effect.REVERSIBLE, warning=warning)
    params: dict[str, Param] = {"FunctionName": side.name}
    call = Call("lambda", "DeleteFunctionConcurrency", params, where)
    if number is not None:
        call = Call("lambda", "PutFunctionConcurrency", {**params, "ReservedConcurrentExecutions": number}, where)
    return todo(name, call, Effect.REVERSIBLE, f"{seen}, expected {told(number)}")


def told(reserved: int | None) -> str:
    """Return a reserved concurrency for people."""
    return "unreserved" if reserved is None else str(reserved)


def shift(
    side: LambdaSide, where: Side, name: str, want: AliasRecipe, *, lenient: bool = False, coming: Build | None = None
) -> Step:
    """Return the step that points an alias at the version that runs what the other side runs.

    `lenient` (an emergency): older code is better than none, the alias then stays, with a warning. `coming`: what an
    earlier step is about to publish.
    """
    step, alias = f"shift-{slug(name)}", side.alias(name)
    if alias is not None and not alias.weights and side.build_at(alias.FunctionVersion) == want.build:
        return done(step, f"version {alias.FunctionVersion} runs {want.build}", effect=Effect.REVERSIBLE)
    version = LATEST if want.version == LATEST else side.version_of(want.build)
    warning = ""
    if version is None and want.build == coming:
        return todo(step, alias_call(side, name, NEXT, where), Effect.REVERSIBLE, "waits for the version")
    if version is None and lenient:
        version = side.version_with_code(want.build) or (alias.FunctionVersion if alias else None)
        warning = f"{side.name}:{name} runs {side.build_at(version) if version else 'nothing'}, expected {want.build}"
        if alias is not None and version == alias.FunctionVersion and not alias.weights:
            return done(step, f"stays at version {version}", effect=Effect.REVERSIBLE, warning=warning)
    if version is None:
        remedy = "run INSTANTIATE first, or publish that version there, then retry."
        return blocked(step, f"no version of {side.name} in {side.place.region} runs {want.build}", remedy)
    where_now = f"points at version {alias.FunctionVersion}" if alias else "not there"
    call = alias_call(side, name, version, where)
    return todo(step, call, Effect.REVERSIBLE, f"{where_now}, expected {version}. {warning}".strip())


def provision(side: LambdaSide, where: Side, alias: str, number: int, run: RunContext) -> list[Step]:
    """Return the step that provisions concurrency for an alias and waits for it."""
    name = f"provision-{slug(alias)}"
    found = next((each for each in side.provisioned if each.qualifier == alias), None)
    params: dict[str, Param] = {
        "FunctionName": side.name,
        "Qualifier": alias,
        "ProvisionedConcurrentExecutions": number,
    }
    call = Call("lambda", "PutProvisionedConcurrencyConfig", params, where)
    if found is None or found.RequestedProvisionedConcurrentExecutions != number:
        seen = "none" if found is None else str(found.RequestedProvisionedConcurrentExecutions)
        return [todo(name, call, Effect.REVERSIBLE, f"{seen} provisioned, expected {number}")]
    if found.Status is ProvisionedStatus.READY:
        return [done(name, f"{number} provisioned", effect=Effect.REVERSIBLE)]
    if found.Status is ProvisionedStatus.IN_PROGRESS:
        ready = found.AvailableProvisionedConcurrentExecutions
        return [busy(name, f"{ready} of {number} provisioned", effect=Effect.REVERSIBLE, call=call)]
    seen = f"provisioned concurrency of {side.name}:{alias} is FAILED: {found.StatusReason}"
    if run.seconds_since(name) is None:  # of an earlier attempt: begin anew
        return [todo(name, call, Effect.REVERSIBLE, seen)]
    return [failed(name, seen, "correct the cause (quota, failing initialisation), then retry.")]


def release(side: LambdaSide, where: Side, keep: Iterable[str] = ()) -> list[Step]:
    """Return the steps that take provisioned concurrency away, save from the aliases in `keep`."""
    return [
        todo(
            f"release-{slug(each.qualifier)}",
            Call(
                "lambda",
                "DeleteProvisionedConcurrencyConfig",
                {"FunctionName": side.name, "Qualifier": each.qualifier},
                where,
            ),
            Effect.REVERSIBLE,
            f"{each.RequestedProvisionedConcurrentExecutions} provisioned for {each.qualifier}",
        )
        for each in side.provisioned
        if each.qualifier not in set(keep)
    ]


def stop(side: LambdaSide, where: Side, keep: Iterable[str] = ()) -> list[Step]:
    """Return the steps that disable mappings, save those whose key is in `keep`, and wait until they are."""
    kept = set(keep)
    return [_switched(each, f"stop-{name}", where, on=False) for name, each in _named(side) if each.key not in kept]


def start(side: LambdaSide, where: Side, keys: Iterable[str]) -> list[Step]:
    """Return the steps that enable the mappings of these keys and wait until they are."""
    wanted_on = set(keys)
    return [_switched(each, f"start-{name}", where, on=True) for name, each in _named(side) if each.key in wanted_on]


def _named(side: LambdaSide) -> Iterator[tuple[str, Mapping]]:
    seen: Counter[str] = Counter()
    for each in side.mappings:
        name = slug(each.key)
        seen[name] += 1
        yield (name if seen[name] == 1 else f"{name}-{seen[name]}"), each


def _switched(mapping: Mapping, name: str, where: Side, *, on: bool) -> Step:
    want = MappingState.ENABLED if on else MappingState.DISABLED
    call = Call("lambda", "UpdateEventSourceMapping", {"UUID": mapping.UUID, "Enabled": on}, where)
    seen = f"the mapping of {mapping.key} is {mapping.State}"
    if mapping.State is want:
        return done(name, seen, effect=Effect.REVERSIBLE)
    if mapping.State in {MappingState.ENABLED, MappingState.DISABLED}:
        why = mapping.StateTransitionReason or mapping.LastProcessingResult
        return todo(name, call, Effect.REVERSIBLE, f"{seen}{f' ({why})' if why else ''}, expected {want}")
    if mapping.State is MappingState.DELETING:
        return failed(
            name, f"{seen}, expected {want}", "find out who deletes it; make it again if it is wanted, then retry."
        )
    return busy(name, f"{seen}, expected {want}", effect=Effect.REVERSIBLE, call=call)


def missing_mappings(view: LambdaView) -> list[str]:
    """Return what the other side consumes and the target side has no mapping for."""
    there = {each.key for each in view.target.mappings}
    return [key for key in wanted(view).consuming if key not in there]


def serves(side: LambdaSide, recipe: Recipe, *, lenient: bool = False) -> str:
    """Return why a side does not do what the recipe says; empty when it does."""
    if side.function is None:
        return f"there is no function {side.name} in {side.place.region}"
    if not side.function.Configuration.settled or side.function.Configuration.trouble:
        return f"{side.name} is {side.function.Configuration.State} {side.function.Configuration.trouble}".strip()
    if side.reserved == 0:
        return f"the reserved concurrency of {side.name} in {side.place.region} is 0"
    for name, want in recipe.aliases.items():
        alias = side.alias(name)
        if alias is None or (not lenient and side.build_at(alias.FunctionVersion) != want.build):
            return f"{side.name}:{name} in {side.place.region} does not run {want.build}"
    off = [
        each.key for each in side.mappings if each.key in recipe.consuming and each.State is not MappingState.ENABLED
    ]
    return f"the mapping of {', '.join(off)} in {side.place.region} is not Enabled" if off else ""
