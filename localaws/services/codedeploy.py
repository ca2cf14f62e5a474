"""CodeDeploy: moto's applications, groups and deployments; a deployment takes its time on our clock and can be stopped.

Nothing is deployed. moto shows the Auto Scaling groups of a deployment group as names; AWS as structures (API reference,
AutoScalingGroup).
"""

from __future__ import annotations

from typing import Any

from localaws.service import AwsError, Call, Reply, Service, operation

DEPLOYMENT_SECONDS = 900.0
IN_PROGRESS, SUCCEEDED, STOPPED = "InProgress", "Succeeded", "Stopped"


class CodeDeployService(Service):
    """Deployments, and what a group deploys to."""

    name = "codedeploy"

    @operation("CreateDeployment")
    def create_deployment(self, call: Call) -> Reply:
        """Begin a deployment that ends well after a while."""
        reply = self.world.moto(call)
        deployment = self._deployment(call, reply["deploymentId"])
        deployment.create_time = deployment.start_time = self.world.clock.now()
        deployment.status = IN_PROGRESS
        self.world.clock.after(DEPLOYMENT_SECONDS, lambda: _end(deployment, SUCCEEDED))
        return reply

    @operation("StopDeployment")
    def stop_deployment(self, call: Call) -> Reply:
        """Stop a deployment that goes on."""
        deployment = self._deployment(call, call.params["deploymentId"])
        if deployment.status != IN_PROGRESS:
            message = f"The deployment {deployment.deployment_id} is already completed."
            raise AwsError("DeploymentAlreadyCompletedException", message)
        _end(deployment, STOPPED)
        return {"status": "Succeeded", "statusMessage": "No more commands will be scheduled for execution."}

    @operation("GetDeploymentGroup")
    def get_deployment_group(self, call: Call) -> Reply:
        """Describe a group, its Auto Scaling groups as AWS shows them."""
        shown = dict(self.world.moto(call)["deploymentGroupInfo"])
        group = self._backend(call).get_deployment_group(
            call.params["applicationName"], call.params["deploymentGroupName"]
        )
        hook = "CodeDeploy-managed-automatic-launch-deployment-hook"
        shown["autoScalingGroups"] = [
            {"name": name, "hook": f"{hook}-{group.deployment_group_name}-{group.deployment_group_id}"}
            for name in group.auto_scaling_groups
        ]
        return {"deploymentGroupInfo": shown}

    def _deployment(self, call: Call, deployment_id: str) -> Any:
        found = self._backend(call).deployments.get(deployment_id)
        if found is None:
            raise AwsError("DeploymentDoesNotExistException", f"The deployment {deployment_id} could not be found")
        return found

    def _backend(self, call: Call) -> Any:
        return self.world.backend("codedeploy", call.account, call.region)


def _end(deployment: Any, status: str) -> None:
    if deployment.status == IN_PROGRESS:
        deployment.status = status
