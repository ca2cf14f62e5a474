"""EC2 Auto Scaling on top of moto's groups: instances launch and end over time, and tell why they did not.

`moto_bridge` stops moto from launching by itself, `scheduler` does it instead, `warm_pools` and `refreshes` use it,
`responses` has the handlers.
"""

from localaws.services.autoscaling.responses import AutoScalingService

__all__ = ["AutoScalingService"]
