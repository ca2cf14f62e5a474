"""A drill of a Lambda function: a function of its own beside the target side's, made from the same code; nobody calls it.

An alias of the standing function would need its gate opened, cannot carry a tag, and so could not be told apart when it is
deleted. The copy has the target side's role, environment, layers and network, but neither mappings, dead-letter queue nor
file systems. Only where `dr:drill-safe` is `true` it is called, once or more, with a health event: what that makes it do, it
does. Without `dr:artifact` there is nothing to make a copy from: the drill then only looks at the standing function.
"""

from __future__ import annotations

import json

from adapters.judging import gone, not_ours
from adapters.lambda_.definition import Deployment, code_of, definition_params, obstacles
from adapters.lambda_.models import Configuration, Function, FunctionState
from adapters.lambda_.spec import DRILL_SAFE, NAME_LIMIT
from adapters.lambda_.view import LambdaView, wanted
from adapters.reading import drill_name, is_of_this_drill
from orchestrator.contract import Call, Check, Param, RunContext, Step, blocked, busy, done, failed, skip, todo
from orchestrator.words import CheckState, Effect, Side

FUNCTION, CODE, INVOKE = "drill-function", "drill-code", "drill-invoke"
HEALTH_EVENT = {"source": "dr-orchestrator", "detail-type": "health check of a drill"}


def _name(view: LambdaView, run: RunContext) -> str:
    return drill_name(run, view.member.target.id, NAME_LIMIT)


def make(view: LambdaView, job: Deployment, run: RunContext) -> list[Step]:
    """Return the steps that make the copy."""
    name, copy = _name(view, run), view.copy
    if copy is not None and not is_of_this_drill(copy.Tags, run):
        return not_ours(FUNCTION, name, run.run_id)
    if view.target.function is None and (why := obstacles(job)):
        return [blocked(FUNCTION, f"{view.target.name} cannot be made: {'; '.join(why)}", "complete it, then dr plan.")]
    if not job.artifact:
        return skip("dr:artifact names no place of the code: the drill only looks at the standing function")
    if copy is None:
        return [todo(FUNCTION, _create(view, job, run), Effect.REVERSIBLE, "not there"), busy(CODE, "waits for it")]
    configuration = copy.Configuration
    if configuration.trouble:
        return [failed(FUNCTION, f"{name} {configuration.trouble}", "correct the cause, then start the drill again.")]
    if configuration.State is FunctionState.PENDING or not configuration.settled:
        return [busy(FUNCTION, f"is {configuration.State}, expected Active", effect=Effect.REVERSIBLE)]
    return [done(FUNCTION, f"is {configuration.State}", effect=Effect.REVERSIBLE), _code(view, job, configuration)]


def _create(view: LambdaView, job: Deployment, run: RunContext) -> Call:
    standing = view.target.function
    if standing is not None:
        params = definition_params(standing.Configuration, {})
    else:
        params = definition_params(Configuration.model_validate(job.model.definition), job.config())
        params.pop("DeadLetterConfig", None)
    own: dict[str, Param] = {"FunctionName": _name(view, run), "Code": code_of(job.artifact)}
    return Call("lambda", "CreateFunction", {**own, **params, "Tags": run.tags}, Side.TARGET)


def _code(view: LambdaView, job: Deployment, configuration: Configuration) -> Step:
    want = wanted(view).latest
    if want is None or configuration.CodeSha256 == want.sha:
        return done(CODE, f"code {configuration.CodeSha256[:8]}")
    seen = f"{job.artifact} holds code {configuration.CodeSha256[:8]}, the source side runs {want.sha[:8]}"
    return failed(CODE, seen, "put the object of that code there, then start the drill again.")


def call_it(view: LambdaView, run: RunContext) -> list[Step]:
    """Return the step that calls the copy, where its owner allows it."""
    if view.copy is None or view.member.tags.get(DRILL_SAFE) != "true":
        return skip("a drill opens no function and moves no alias; its copy is called only with dr:drill-safe=true")
    params: dict[str, Param] = {
        "FunctionName": _name(view, run),
        "InvocationType": "RequestResponse",
        "Payload": json.dumps(HEALTH_EVENT),
    }
    keep = {"status": "StatusCode", "error": "FunctionError"}
    call = Call("lambda", "Invoke", params, Side.TARGET, keep=keep)
    answer = run.kept.get(INVOKE)  # a call leaves no trace in AWS: what the ledger does not know is asked again
    if answer is None:
        return [todo(INVOKE, call, Effect.REVERSIBLE, "not called yet")]
    if answer.get("error") or answer.get("status") != 200:
        seen = f"answered {answer.get('status')} {answer.get('error') or ''}".strip()
        return [failed(INVOKE, seen, f"read the log of {_name(view, run)}, then start the drill again.")]
    return [done(INVOKE, "answered 200")]


def delete(view: LambdaView, run: RunContext) -> list[Step]:
    """Return the step that deletes the copy, never a function without this drill's tag."""
    name, copy = _name(view, run), view.copy
    if copy is not None and not is_of_this_drill(copy.Tags, run):
        return not_ours(FUNCTION, name, run.run_id)
    status = str(copy.Configuration.State) if copy else ""
    call = Call("lambda", "DeleteFunction", {"FunctionName": name}, Side.TARGET)
    return [gone(FUNCTION, status, call, leaving=("Deleting",))]


def health(view: LambdaView, job: Deployment) -> list[Check]:
    """Check the copy, or, where there is none, that the standing function is fit."""
    seen = view.copy if job.artifact else view.target.function
    what = "drill-copy" if job.artifact else "function"
    me = view.member.resource_id
    if seen is None:
        return [Check(me, what, CheckState.UNHEALTHY, "not there")]
    fit = seen.Configuration.settled and not seen.Configuration.trouble
    state = CheckState.HEALTHY if fit else CheckState.SETTLING
    return [Check(me, what, state, f"{seen.Configuration.FunctionName} is {seen.Configuration.State}")]


def foreseen(view: LambdaView, run: RunContext) -> Function:
    """Return the copy as the preview of a drill's later phases expects it."""
    latest = wanted(view).latest
    made = Configuration(FunctionName=_name(view, run), CodeSha256=latest.sha if latest else "")
    return Function(Configuration=made, Tags=run.tags)
