"""AWS Elastic Disaster Recovery: source servers, recovery jobs and plans, recovery instances, reversed replication.

`models` holds state, `replication` what time does to it, `launches` the jobs, `prepared` what launching into an instance asks,
`plans` and `plan_runs` recovery plans, `reversal` the way back,
`shapes` the answers, `responses` the handlers.
"""

from localaws.services.drs.responses import DrsService

__all__ = ["DrsService"]
