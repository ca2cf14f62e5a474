"""A drill of DRS: recovery instances launched with isDrill, checked, and terminated.

The source goes on replicating and serving. Where the drill instances land (subnet, security groups) is what each
server's launch template says: isolate that network if the application must not reach production. A server that is
launched into a prepared instance is only looked at: DRS launches its drills there, too (API reference,
LaunchIntoInstanceProperties), and a drill may not change the launch settings of production.
"""

from __future__ import annotations

from adapters.drs import launch as job
from adapters.drs import plans, prepared
from adapters.drs.permissions import PLAN
from adapters.drs.view_server import DrsView, ServerView
from orchestrator.contract import Check, RunContext, Step, done, skip
from orchestrator.words import CheckState


def make(view: DrsView, run: RunContext) -> list[Step]:
    """Return the steps that launch the copies; none where a launch would go into a prepared instance."""
    if _prepared(view):
        steps, _ = job.unobstructed(view.servers, run)
        return [*steps, done("prepared-instances-seen", "nothing is launched", warning=prepared.UNDRILLED)]
    if view.strategy == PLAN:
        return job.chain(
            view.servers,
            lambda servers: job.unobstructed(servers, run),
            lambda servers: plans.whole(servers, view, run),
            lambda servers: plans.executed(servers, view, run),
            lambda servers: plans.ended(servers, view),
            lambda servers: job.launched(servers, run),
            lambda servers: plans.marked(servers, run),
            job.serving,
        )
    return job.chain(
        view.servers,
        lambda servers: job.unobstructed(servers, run),
        lambda servers: job.started(servers, view, run, "start-drill"),
        lambda servers: job.launched(servers, run),
        job.serving,
    )


def delete(view: DrsView) -> list[Step]:
    """Return the step that terminates the copies: instances with isDrill, of a job with this drill's tag."""
    if _prepared(view):
        return skip("the drill launched nothing")
    return plans.cancelled(view) + job.terminated(view.servers, view, "terminate-drill-instances")


def health(view: DrsView) -> list[Check]:
    """Check the copies; where none may be launched, whether the prepared instances could be launched into."""
    if _prepared(view):
        return [_fitness(each) for each in view.servers]
    return [
        Check(
            each.id,
            "drill-instance",
            CheckState.HEALTHY if each.own and job.is_serving(each) else CheckState.SETTLING,
            job.machine(each),
        )
        for each in view.servers
    ]


def _prepared(view: DrsView) -> bool:
    return any(each.into is not None for each in view.servers)


def _fitness(each: ServerView) -> Check:
    wrong = "; ".join(text for _, text in prepared.objections(each))
    state = CheckState.UNHEALTHY if wrong else CheckState.HEALTHY
    return Check(each.id, "prepared-instance", state, wrong or f"{each.into} is stopped and fit to be launched into")
