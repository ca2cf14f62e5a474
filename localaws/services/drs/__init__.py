"""AWS Elastic Disaster Recovery: source servers, recovery jobs, recovery instances, reversed replication.

`models` holds state, `replication` what time does to it, `launches` the jobs, `reversal` the way back,
`shapes` the answers, `responses` the handlers.
"""

from localaws.services.drs.responses import DrsService

__all__ = ["DrsService"]
