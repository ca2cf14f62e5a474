"""Application Recovery Controller: routing controls that work while Regions and control planes do not.

`config` is the control plane in us-west-2, `cluster` the data plane with an endpoint in each of five Regions,
`models` what both share: the cluster service keeps it.
"""

from localaws.services.arc.cluster import RecoveryClusterService
from localaws.services.arc.config import RecoveryControlConfigService

__all__ = ["RecoveryClusterService", "RecoveryControlConfigService"]
