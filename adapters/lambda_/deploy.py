"""The steps that give a side the code, the settings, the versions and the aliases of the other one.

A function is made only by the strategy deploy-from-source, closed (reserved concurrency 0) until it is activated. An
existing one gets what is the same in every Region: code, runtime, handler, timeout, memory. What is regional (environment,
layers, network, keys) stays as it was deployed. Aliases that exist are not moved here.
"""

from __future__ import annotations

import re

from adapters.lambda_.definition import Deployment, code_of, definition_params, obstacles
from adapters.lambda_.models import Configuration, FunctionState
from adapters.lambda_.view import LambdaSide
from adapters.lambda_.view_recipe import LATEST, NEXT, Build
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Phase, Side

CREATE, CODE, SETTINGS, SETTLED, CLOSED, PUBLISH, VERSION = (
    "create-function",
    "deploy-code",
    "deploy-settings",
    "function-settled",
    "close-new-function",
    "publish-version",
    "version-active",
)
UNIQUE = re.compile("[^a-z0-9]+")


def slug(name: str) -> str:
    """Return a name in the characters of a step's name."""
    return UNIQUE.sub("-", name.lower()).strip("-") or "unnamed"


def deploy(job: Deployment, run: RunContext) -> list[Step]:
    """Return the steps that bring a side to its model."""
    side, model = job.side, job.model
    if model.latest is None:
        return [blocked(CREATE, f"nobody knows what {side.name} runs", "take the inventory again: dr plan")]
    if side.function is None:
        return _create(job, run)
    steps = [_code(job, run), _settings(job), _settled(side.function.Configuration, run)]
    if run.phase is Phase.INSTANTIATE and side.function.Tags.get("dr:execution-id") == run.run_id:
        steps.append(_closed(side, job.where))
    steps += _published(job)
    return [*steps, *(_alias(job, name) for name in sorted(model.aliases))]


def _create(job: Deployment, run: RunContext) -> list[Step]:
    side, model = job.side, job.model
    why = obstacles(job)
    if why or model.definition is None or model.latest is None:
        seen = f"there is no function {side.name} in {side.place.region}; {'; '.join(why)}"
        return [blocked(CREATE, seen, "deploy it by the tool that owns it, or complete tag and manifest, then retry.")]
    own = {key: value for key, value in job.member.tags.items() if not key.startswith("aws:")}
    params: dict[str, Param] = {
        "FunctionName": side.name,
        "Code": code_of(job.artifact),
        **definition_params(Configuration.model_validate(model.definition), job.config()),
        "Tags": {**own, **run.tags},
    }
    call = Call("lambda", "CreateFunction", params, job.where, keep={"sha": "CodeSha256"})
    steps = [todo(CREATE, call, Effect.REVERSIBLE, "not there"), busy(SETTLED, "waits for the function")]
    if run.phase is Phase.INSTANTIATE:  # an emergency opens it at once
        steps.append(todo(CLOSED, _reserve(side, 0, job.where), Effect.REVERSIBLE, "not there"))
    if any(each.version != LATEST for each in model.aliases.values()):
        steps.append(todo(PUBLISH, _publish(side, model.latest, job.where), Effect.REVERSIBLE, "not there"))
        steps.append(busy(VERSION, "waits for the version"))
    return [*steps, *(_alias(job, name) for name in sorted(model.aliases))]


def _code(job: Deployment, run: RunContext) -> Step:
    assert job.side.function is not None and job.model.latest is not None
    have, want = job.side.function.Configuration, job.model.latest
    called = run.seconds_since(CODE) is not None or run.seconds_since(CREATE) is not None
    broken = have.LastUpdateStatus == "Failed" and not called
    if have.CodeSha256 == want.sha and not (broken and job.artifact):
        return done(CODE, f"code {want.sha[:8]}", effect=Effect.REVERSIBLE)
    seen = f"{job.side.name} in {job.side.place.region} runs code {have.CodeSha256[:8]}, expected {want.sha[:8]}"
    if not job.artifact:
        return blocked(CODE, f"{seen}; dr:artifact names no place for it", "deploy it, or set dr:artifact, then retry.")
    if not have.settled:
        return busy(CODE, f"waits: {have.State}, last update {have.LastUpdateStatus}")
    kept = run.kept.get(CODE, run.kept.get(CREATE, {})).get("sha")
    if called and kept and kept != want.sha:
        remedy = "put the object of that code there, then retry."
        return failed(CODE, f"{job.artifact} holds code {str(kept)[:8]}, expected {want.sha[:8]}", remedy)
    params: dict[str, Param] = {
        "FunctionName": job.side.name,
        **code_of(job.artifact),
        "RevisionId": have.RevisionId,
    }
    call = Call("lambda", "UpdateFunctionCode", params, job.where, keep={"sha": "CodeSha256"})
    return todo(CODE, call, Effect.REVERSIBLE, seen)


def _settings(job: Deployment) -> Step:
    assert job.side.function is not None and job.model.latest is not None
    have, want = job.side.function.Configuration, job.model.latest
    pairs: dict[str, tuple[Param, Param]] = {
        "Runtime": (have.Runtime, want.runtime),
        "Handler": (have.Handler, want.handler),
        "Timeout": (have.Timeout, want.timeout),
        "MemorySize": (have.MemorySize, want.memory),
    }
    different = {name: pair for name, pair in pairs.items() if pair[0] != pair[1] and pair[1] is not None}
    if not different:
        return done(SETTINGS, "as on the other side", effect=Effect.REVERSIBLE)
    if not have.settled:
        return busy(SETTINGS, f"waits: {have.State}, last update {have.LastUpdateStatus}")
    params: dict[str, Param] = {
        "FunctionName": job.side.name,
        **{name: pair[1] for name, pair in different.items()},
        "RevisionId": have.RevisionId,
    }
    seen = ", ".join(f"{name} is {pair[0]}, expected {pair[1]}" for name, pair in different.items())
    return todo(SETTINGS, Call("lambda", "UpdateFunctionConfiguration", params, job.where), Effect.REVERSIBLE, seen)


def _settled(configuration: Configuration, run: RunContext) -> Step:
    name = configuration.FunctionName
    if configuration.trouble:
        return failed(SETTLED, f"{name} {configuration.trouble}", _remedy(name, configuration))
    if configuration.settled:
        asleep = configuration.State is FunctionState.INACTIVE
        return done(
            SETTLED,
            str(configuration.State),
            warning=f"{name} is Inactive: its first call fails and wakes it" if asleep else "",
        )
    return busy(SETTLED, f"{name} is {configuration.State}, last update {configuration.LastUpdateStatus}")


def _remedy(name: str, configuration: Configuration) -> str:
    if configuration.State is FunctionState.FAILED:
        return (
            f"correct the cause, then: aws lambda delete-function --function-name {name} (it serves nobody), and retry."
        )
    return "correct the cause, deploy the function again, then retry."


def _closed(side: LambdaSide, where: Side) -> Step:
    if side.reserved == 0:
        return done(CLOSED, "reserved concurrency is 0", effect=Effect.REVERSIBLE)
    return todo(CLOSED, _reserve(side, 0, where), Effect.REVERSIBLE, "it is new and takes calls")


def _published(job: Deployment) -> list[Step]:
    side, model = job.side, job.model
    assert side.function is not None and model.latest is not None
    frozen = {name: each.build for name, each in model.aliases.items() if each.version != LATEST}
    missing = {name: build for name, build in frozen.items() if side.version_of(build) is None}
    strange = sorted(name for name, build in missing.items() if build != model.latest)
    if strange:
        seen = f"no version of {side.name} in {side.place.region} runs what {', '.join(strange)} runs on the other side"
        remedy = "publish that version there, or move the alias to the newest version, then retry."
        return [blocked(PUBLISH, f"{seen} ({missing[strange[0]]})", remedy)]
    if missing:
        call = _publish(side, model.latest, job.where)
        return [
            todo(PUBLISH, call, Effect.REVERSIBLE, f"no version runs {model.latest}"),
            busy(VERSION, "waits for the version"),
        ]
    if not frozen:
        return []
    return [done(PUBLISH, "every version is there", effect=Effect.REVERSIBLE), _version_active(side)]


def _version_active(side: LambdaSide) -> Step:
    newest = side.newest
    if newest is None or newest.settled:
        return done(VERSION, f"version {newest.Version if newest else NEXT} is active")
    if newest.trouble:
        return failed(VERSION, f"version {newest.Version} {newest.trouble}", "correct the cause, deploy, then retry.")
    return busy(VERSION, f"version {newest.Version} is {newest.State}")


def _alias(job: Deployment, name: str) -> Step:
    step, alias, want = f"alias-{slug(name)}", job.side.alias(name), job.model.aliases[name]
    if alias is not None:
        return done(step, f"exists, version {alias.FunctionVersion}", effect=Effect.REVERSIBLE)
    version = LATEST if want.version == LATEST else job.side.version_of(want.build)
    return todo(step, alias_call(job.side, name, version, job.where), Effect.REVERSIBLE, "not there")


def alias_call(side: LambdaSide, name: str, version: str | None, where: Side) -> Call:
    """Return the call that makes an alias, or moves it when it is there, and lets it call one version only."""
    shown: Param = Later("the version that is published") if version in {None, NEXT} else version
    params: dict[str, Param] = {"FunctionName": side.name, "Name": name, "FunctionVersion": shown}
    alias = side.alias(name)
    if alias is None:
        return Call("lambda", "CreateAlias", params, where)
    routing: Param = {"AdditionalVersionWeights": {}}
    return Call("lambda", "UpdateAlias", {**params, "RoutingConfig": routing, "RevisionId": alias.RevisionId}, where)


def _publish(side: LambdaSide, build: Build, where: Side) -> Call:
    return Call("lambda", "PublishVersion", {"FunctionName": side.name, "CodeSha256": build.sha}, where)


def _reserve(side: LambdaSide, number: int, where: Side) -> Call:
    params: dict[str, Param] = {"FunctionName": side.name, "ReservedConcurrentExecutions": number}
    return Call("lambda", "PutFunctionConcurrency", params, where)
