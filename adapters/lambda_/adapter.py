"""Lambda function: the target side gets the code, is opened and made to consume; the source side is closed.

instantiate  planned: lambda.CreateFunction (deploy-from-source, closed by lambda.PutFunctionConcurrency), else
             lambda.UpdateFunctionCode and lambda.UpdateFunctionConfiguration where they differ; lambda.PublishVersion,
             lambda.CreateAlias; drill: lambda.CreateFunction of a copy
activate     planned: lambda.UpdateEventSourceMapping (off) on the source side; then lambda.PutFunctionConcurrency or
             lambda.DeleteFunctionConcurrency, lambda.UpdateAlias, lambda.PutProvisionedConcurrencyConfig,
             lambda.UpdateEventSourceMapping (on); emergency: what is missing is made first, from the inventory's definition;
             drill: lambda.Invoke of the copy, only with dr:drill-safe
cleanup      lambda.UpdateEventSourceMapping (off), lambda.DeleteProvisionedConcurrencyConfig, lambda.PutFunctionConcurrency(0)
             on the source side; drill: lambda.DeleteFunction of the copy
replicate    the source side gets the target side's code (UpdateFunctionCode, PublishVersion) where it differs; it stays closed
decommission lambda.DeleteFunction of old versions on the source side

Reserved concurrency is the gate, and it is one per function. What belongs on (mappings, sizes) is what the inventory found on
before the run. `dr:artifact` says where the code lies in each Region (`us-east-1=s3://bucket/key us-west-2=...`); it is what
makes a function that exists in one Region only a resource with two sides. Versions are compared by code, runtime, handler,
timeout and memory, for their numbers differ from Region to Region. A zip's CodeSha256 is the SHA-256 of the object, which S3
tells where it was stored with that checksum (S3 user guide, "Checking object integrity").
It does not call the functions it moves, and makes no mappings, policies or URLs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.lambda_ import drill, foresight
from adapters.lambda_.back import prune, set_back
from adapters.lambda_.definition import Deployment
from adapters.lambda_.deploy import deploy
from adapters.lambda_.discovery import found_at
from adapters.lambda_.readiness import claims, findings
from adapters.lambda_.spec import SPEC
from adapters.lambda_.switch import (
    CLOSE,
    OPEN,
    missing_mappings,
    provision,
    release,
    reserve,
    serves,
    shift,
    start,
    stop,
    told,
)
from adapters.lambda_.view import (
    LambdaView,
    look,
    recipe_of,
    remembered,
    wanted,
)
from orchestrator.contract import (
    Adapter,
    Check,
    Claim,
    Clients,
    Finding,
    Found,
    Loss,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    done,
    skip,
)
from orchestrator.words import CheckState, Mode, Phase, Side


class LambdaAdapter(Adapter[LambdaView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return the tagged functions; the two sides have one name. `dr:artifact` tells where a missing one belongs."""
        return [found for arn in arns for found in found_at(aws, arn)]

    def observe(self, target: Target, aws: Clients, run: RunContext) -> LambdaView:
        """Read both sides, in an emergency only the target side."""
        return look(target, aws, run)

    def readiness(self, view: LambdaView, run: RunContext) -> list[Finding]:
        """Judge code, versions, sizes and consumers; see `adapters.lambda_.readiness`."""
        return findings(view, _standby(view), run)

    def claims(self, view: LambdaView, run: RunContext) -> list[Claim]:
        """Count the concurrent executions to be reserved."""
        return claims(view)

    def loss(self, view: LambdaView, run: RunContext) -> list[Loss]:
        """Lose nothing: a function is stateless; what waits in the source side's queues waits there."""
        consumed = ", ".join(remembered(view.member.source).consuming)
        waits = f"; what is left in {consumed} of {view.member.source.region} waits there" if consumed else ""
        return [Loss(view.member.resource_id, 0.0, f"stateless{waits}")]

    def instantiate(self, view: LambdaView, run: RunContext) -> list[Step]:
        """Bring the target side's code up to date, or make the function, closed; in a drill, make a copy."""
        if run.mode is Mode.DRILL:
            return drill.make(view, _standby(view), run)
        return deploy(_standby(view), run)

    def activate(self, view: LambdaView, run: RunContext) -> list[Step]:
        """Stop the source side's consumers, open the target side, move its aliases, start its consumers."""
        if run.mode is Mode.DRILL:
            return drill.call_it(view, run)
        recipe, emergency = wanted(view), run.mode is Mode.EMERGENCY
        before = _rescue(view, run) if emergency else [_fit(view), *stop(view.source, Side.SOURCE)]
        unknown = recipe.reserved == 0
        why = "nobody knew the reserved concurrency in production: nothing is reserved" if unknown else ""
        target = view.target
        opened = reserve(target, Side.TARGET, None if unknown else recipe.reserved, OPEN, warning=why)
        coming = recipe.latest if emergency and before else None
        aliases = [
            shift(target, Side.TARGET, name, want, lenient=emergency, coming=coming)
            for name, want in sorted(recipe.aliases.items())
            if target.alias(name) or not before  # else made just before, at the right version
        ]
        sizes = [
            step
            for name, n in sorted(recipe.provisioned.items())
            for step in provision(target, Side.TARGET, name, n, run)
        ]
        started = start(target, Side.TARGET, recipe.consuming)
        return [*before, opened, *aliases, *sizes, *started, *_unconsumed(view)]

    def cleanup(self, view: LambdaView, run: RunContext) -> list[Step]:
        """Close the source side: consumers, provisioned concurrency, then the gate; in a drill, delete the copy."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if view.source.function is None:
            return skip(f"there is no function {view.source.name} in {view.source.place.region}")
        if why := serves(view.target, wanted(view), lenient=True):
            return [blocked(CLOSE, f"{why}: the source side stays open", "run ACTIVATE first.")]
        off = [*stop(view.source, Side.SOURCE), *release(view.source, Side.SOURCE)]
        return [*off, reserve(view.source, Side.SOURCE, 0, CLOSE)]

    def replicate(self, view: LambdaView, run: RunContext) -> list[Step]:
        """Give the source side the code that serves now; it stays closed."""
        if run.mode is Mode.DRILL:
            return skip("a drill changes no standby")
        if view.source.function is None:
            why = f"there is no function {view.source.name} in {view.source.place.region} to stand by"
            return [blocked("standby", why, "deploy it, closed, then retry.")]
        if view.source.reserved != 0:
            seen = f"reserved concurrency of {view.source.name} in {view.source.place.region} is {told(view.source.reserved)}"
            return [blocked("standby", f"{seen}, expected 0", "run CLEANUP first.")]
        model = recipe_of(view.target)
        return [
            *deploy(Deployment(view.member, view.source, Side.SOURCE, model, may_create=False), run),
            _stands_by(view),
        ]

    def decommission(self, view: LambdaView, run: RunContext) -> list[Step]:
        """Delete the source side's old versions; the newest three, and what anything calls, stay."""
        return prune(view)

    def rollback(self, phase: Phase, view: LambdaView, run: RunContext) -> list[Step]:
        """Set both sides back to what the inventory found."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if phase is Phase.ACTIVATE:
            return set_back(view, run)
        if phase is Phase.CLEANUP and view.source.function is not None:
            before = remembered(view.member.source)
            sizes = [
                s for alias, n in before.provisioned.items() for s in provision(view.source, Side.SOURCE, alias, n, run)
            ]
            return [reserve(view.source, Side.SOURCE, before.reserved, OPEN), *sizes]
        return skip(f"{phase} changed nothing that serves: a function that was made stays, closed")

    def health(self, view: LambdaView, run: RunContext) -> list[Check]:
        """Check that the target side is open, runs the code, consumes; after REPLICATE the standby; in a drill the copy."""
        if run.mode is Mode.DRILL:
            return drill.health(view, _standby(view))
        me, recipe = view.member.resource_id, wanted(view)
        why = serves(view.target, recipe, lenient=run.mode is Mode.EMERGENCY or run.phase is not Phase.ACTIVATE)
        state = CheckState.SETTLING if why else CheckState.HEALTHY
        checks = [
            Check(
                me, "function", state, why or f"{view.target.name} is open and runs {view.target.build_at('$LATEST')}"
            )
        ]
        for alias in sorted(recipe.aliases):
            found = view.target.alias(alias)
            checks.append(
                Check(
                    me,
                    "alias",
                    CheckState.HEALTHY if found else CheckState.UNHEALTHY,
                    f"{alias} points at version {found.FunctionVersion}" if found else f"{alias} is not there",
                )
            )
        if run.phase is Phase.REPLICATE:
            stands = _stands_by(view)
            checks.append(Check(me, "standby", CheckState.HEALTHY, stands.reason))
        return checks

    def after(self, phase: Phase, view: LambdaView, run: RunContext) -> LambdaView:
        """Foresee code, sizes and consumers."""
        if run.mode is Mode.DRILL:
            copy = None if phase is Phase.CLEANUP or not _standby(view).artifact else drill.foreseen(view, run)
            return replace(view, copy=copy)
        return foresight.after(phase, view)


def _standby(view: LambdaView) -> Deployment:
    return Deployment(view.member, view.target, Side.TARGET, wanted(view), may_create=view.creates)


def _fit(view: LambdaView) -> Step:
    """Refuse to stop the source side before the target side can take over."""
    name, recipe, side = "target-fit", wanted(view), view.target
    if side.function is None:
        return blocked(name, f"there is no function {side.name} in {side.place.region}", "run INSTANTIATE first.")
    if side.function.Configuration.trouble:
        return blocked(name, f"{side.name} {side.function.Configuration.trouble}", "correct the cause, then retry.")
    if missing := missing_mappings(view):
        seen = f"nothing in {side.place.region} consumes {', '.join(missing)}"
        return blocked(name, seen, "make the mapping, disabled, then retry.")
    lacking = [n for n, each in recipe.aliases.items() if each.version != "$LATEST" and not side.version_of(each.build)]
    if lacking or (recipe.latest and recipe.latest.sha != side.function.Configuration.CodeSha256):
        seen = f"{side.name} in {side.place.region} does not run what {', '.join(lacking) or 'the source side'} runs"
        return blocked(name, seen, "run INSTANTIATE first.")
    return done(name, f"{side.name} runs {recipe.latest}")


def _rescue(view: LambdaView, run: RunContext) -> list[Step]:
    """Make or update what is missing, as far as nothing is needed from the lost Region; old code is better than none."""
    job = _standby(view)
    current = view.target.function is not None and not any(s.state == "blocked" for s in deploy(job, run))
    if view.target.function is None or (current and job.artifact and not view.artifact_problem):
        return deploy(job, run)
    return []


def _unconsumed(view: LambdaView) -> list[Step]:
    missing = ", ".join(missing_mappings(view))
    if not missing:
        return []
    warning = f"nothing in {view.target.place.region} consumes {missing}: make its mapping"
    return [done("consumers", "as far as there are mappings", warning=warning)]


def _stands_by(view: LambdaView) -> Step:
    gate = told(view.source.reserved)
    return done("standby", f"{view.source.name} in {view.source.place.region} stands by, reserved concurrency {gate}")
