"""What is judged of a Lambda function before a run. Pure."""

from __future__ import annotations

from collections import Counter

from adapters.judging import ready, red, too_slow, warning
from adapters.lambda_.definition import Deployment, obstacles
from adapters.lambda_.models import Configuration, FunctionState
from adapters.lambda_.spec import ARTIFACT, LEAST_UNRESERVED, SAVED_CAPACITY, SPEC
from adapters.lambda_.switch import missing_mappings, told
from adapters.lambda_.view import LambdaSide, LambdaView, production, remembered, wanted
from adapters.lambda_.view_recipe import LATEST, Recipe
from adapters.lambda_.view_scaling import provisioner_findings
from adapters.needed import findings as findings_of
from adapters.quotas import Room, ask
from orchestrator.contract import Claim, Finding, RunContext
from orchestrator.words import Mode, Phase


def findings(view: LambdaView, job: Deployment, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    me, recipe = view.member.resource_id, wanted(view)
    found = _target(view, job, recipe)
    found += findings_of(me, view.lacks) + _sizes(view, recipe)
    found += [
        red(me, "mapping-missing", f"nothing on the target side consumes {key}.", "make its mapping, disabled; dr plan")
        for key in missing_mappings(view)
    ]
    if run.mode is not Mode.EMERGENCY:
        found += _source(view, run)
    if view.artifact_problem and (view.target.function is None or _is_outdated(view.target, recipe)):
        found.append(red(me, "artifact-object", f"{view.artifact_problem}.", "put the right object there; dr plan"))
    found += provisioner_findings(me, view.provisioners)
    found += too_slow(view.member, SPEC.strategy(view.strategy))
    opened = told(recipe.reserved)
    return found or [ready(me, f"{view.target.name} can take over, reserved concurrency {opened}.")]


def _is_outdated(side: LambdaSide, recipe: Recipe) -> bool:
    return side.function is not None and recipe.latest is not None and side.build_at(LATEST) != recipe.latest


def _target(view: LambdaView, job: Deployment, recipe: Recipe) -> list[Finding]:
    me, side = view.member.resource_id, view.target
    if side.function is None:
        why = obstacles(job)
        text = f"there is no function {side.name} in {side.place.region}"
        if why:
            return [red(me, "missing", f"{text}; {'; '.join(why)}.", "deploy it, or complete what is missing; dr plan")]
        more = "its triggers, resource policy and URL are not made"
        return [*_environment(view, recipe), warning(me, "made-anew", f"{text}: it will be made; {more}.")]
    configuration, found = side.function.Configuration, []
    if configuration.trouble:
        found.append(red(me, "state", f"{side.name} in {side.place.region} {configuration.trouble}."))
    elif configuration.State is FunctionState.INACTIVE:
        found.append(warning(me, "inactive", f"{side.name} is Inactive: its first call fails and wakes it."))
    elif not configuration.settled:
        seen = f"{configuration.State}, last update {configuration.LastUpdateStatus}"
        found.append(warning(me, "busy", f"{side.name} in {side.place.region} is {seen}."))
    want = recipe.latest
    if want is not None and configuration.CodeSha256 != want.sha and not job.artifact:
        text = f"{side.name} in {side.place.region} runs code {configuration.CodeSha256[:8]}, expected {want.sha[:8]}."
        found.append(red(me, "outdated", text, f"deploy it there, or name its place in {ARTIFACT}; dr plan"))
    found += [
        red(me, "version-missing", f"no version of {side.name} in {side.place.region} runs {alias.build} ({name}).")
        for name, alias in recipe.aliases.items()
        if alias.version != LATEST and side.version_of(alias.build) is None and alias.build != want
    ]
    return found + _unlike(view, configuration)


def _unlike(view: LambdaView, have: Configuration) -> list[Finding]:
    """Tell what differs and stays so, because it is regional."""
    if view.source.function is None:
        return []
    me, want, found = view.member.resource_id, view.source.function.Configuration, []
    if lacking := sorted(set(want.Environment.Variables) - set(have.Environment.Variables)):
        found.append(warning(me, "environment", f"{have.FunctionName} lacks the variables {', '.join(lacking)}."))
    names = [sorted(layer.Arn.split(":")[6] for layer in each.Layers) for each in (want, have)]
    if names[0] != names[1]:
        found.append(warning(me, "layers", f"{have.FunctionName} has layers {names[1]}, expected {names[0]}."))
    return found


def _environment(view: LambdaView, recipe: Recipe) -> list[Finding]:
    definition = Configuration.model_validate(recipe.definition)
    region = view.member.source.region
    told_there = sorted(name for name, value in definition.Environment.Variables.items() if region in value)
    if not told_there:
        return []
    text = f"the variables {', '.join(told_there)} name {region}; they are copied as they are."
    return [warning(view.member.resource_id, "environment", text, "give them in the manifest's config.environment")]


def _sizes(view: LambdaView, recipe: Recipe) -> list[Finding]:
    me, found = view.member.resource_id, []
    size = production(view.member)
    if size == 0:
        text = f"the reserved concurrency of {view.member.name} is 0 on both sides: nobody knows the one in production."
        found.append(red(me, "size", text, f"set {SAVED_CAPACITY} (a number, or: unreserved) on the function; dr plan"))
    provisioned = sum(recipe.provisioned.values())
    if size and provisioned > size:
        found.append(red(me, "provisioned", f"{provisioned} provisioned, more than the {size} reserved."))
    return found


def claims(view: LambdaView) -> list[Claim]:
    """Return what reserving takes of the concurrency of the account, of which AWS keeps 100 unreserved."""
    limit, size, place = view.limit, production(view.member), view.target.place
    if limit is None:
        return []
    taken = size if size is not None else sum(wanted(view).provisioned.values())
    more = taken - (view.target.reserved or 0)
    room = Room(
        max(limit.ConcurrentExecutions - LEAST_UNRESERVED, 0),
        limit.ConcurrentExecutions - limit.UnreservedConcurrentExecutions,
        f"{LEAST_UNRESERVED} of {limit.ConcurrentExecutions} must stay unreserved",
    )
    where, mine = (place.account, place.region), (view.member.resource_id,)
    what = f"the executions to be reserved for {view.member.name}"
    return [room.claim(mine, where, "concurrent executions", what, more, ask("lambda", "L-B99A9384", place.region))]


def _source(view: LambdaView, run: RunContext) -> list[Finding]:
    me, side, found = view.member.resource_id, view.source, []
    if side.function is None:
        return [red(me, "source", f"there is no function {side.name} in {side.place.region}.")]
    found += [
        red(me, "canary", f"{side.name}:{each.Name} splits its calls: {each.weights}.", "end the canary; dr plan")
        for each in side.aliases
        if each.weights and run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE}
    ]
    before, there = remembered(view.member.source), remembered(view.member.target)
    if before.consuming and there.consuming:
        text = f"both sides consume ({', '.join(before.consuming)}): it is unclear which one stands by."
        if run.phase is Phase.CLEANUP:
            found.append(warning(me, "both-consume", f"{text} CLEANUP stops the one in {side.place.region}."))
        else:
            remedy = (
                "after an emergency run CLEANUP first; an active-active pair needs no move: set dr:enabled to false"
            )
            found.append(red(me, "both-consume", text, remedy))
    if before.mappings and not before.consuming and not there.consuming:
        text = f"neither side consumes {', '.join(before.mappings)}: nobody knows which mappings belong on."
        found.append(red(me, "nothing-consumes", text, f"enable them in {side.place.region}; dr plan"))
    states: dict[str, set[bool]] = {}
    for each in side.mappings:
        states.setdefault(each.key, set()).add(each.on)
    found += [
        red(me, "ambiguous-mapping", f"of several mappings of {key} in {side.place.region} some are on, some off.")
        for key, count in Counter(each.key for each in side.mappings).items()
        if count > 1 and len(states[key]) > 1
    ]
    return found
