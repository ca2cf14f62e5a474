"""A drill of DRS: recovery instances launched with isDrill, checked, and terminated.

The source goes on replicating and serving. Where the drill instances land (subnet, security groups) is what each
server's launch template says: isolate that network if the application must not reach production.
"""

from __future__ import annotations

from adapters import drs_launch as job
from adapters.views.drs import DrsView
from orchestrator.contract import Check, RunContext, Step
from orchestrator.words import CheckState


def make(view: DrsView, run: RunContext) -> list[Step]:
    """Return the steps that launch the copies."""
    return job.chain(
        view.servers,
        lambda servers: job.unobstructed(servers, run),
        lambda servers: job.started(servers, view, run, "start-drill"),
        lambda servers: job.launched(servers, run),
        job.serving,
    )


def delete(view: DrsView) -> list[Step]:
    """Return the step that terminates the copies: instances with isDrill, of a job with this drill's tag."""
    return job.terminated(view.servers, "terminate-drill-instances")


def health(view: DrsView) -> list[Check]:
    """Check the copies."""
    return [
        Check(
            each.id,
            "drill-instance",
            CheckState.HEALTHY if each.own and job.is_serving(each) else CheckState.SETTLING,
            job.machine(each),
        )
        for each in view.servers
    ]
