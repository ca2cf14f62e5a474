"""Amazon ECS whose services take time: tasks, deployments, events and failures."""

from localaws.services.ecs.responses import EcsService

__all__ = ["EcsService"]
