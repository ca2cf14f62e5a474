"""CodePipeline: moto's pipelines, whose executions take their time stage by stage, stop at closed transitions, and can be stopped.

Nothing is built or deployed: a stage only lasts. User guide, "Disable or enable transitions" and "Stop a pipeline execution".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, Service, operation

if TYPE_CHECKING:
    from localaws.world import World

STAGE_SECONDS = 300.0
IN_PROGRESS, STOPPING, STOPPED, SUCCEEDED = "InProgress", "Stopping", "Stopped", "Succeeded"

_Key = tuple[str, str, str]


class CodePipelineService(Service):
    """Executions and transitions of pipelines."""

    name = "codepipeline"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        """Open all transitions, forget where executions are."""
        self._closed: dict[_Key, dict[str, str]] = {}
        self._at: dict[str, int] = {}
        """Execution -> the stage it is in."""

    @operation("StartPipelineExecution")
    def start_pipeline_execution(self, call: Call) -> Reply:
        """Begin with the first stage."""
        reply = self.world.moto(call)
        execution = self._execution(call, call.params["name"], reply["pipelineExecutionId"])
        execution.status = IN_PROGRESS
        execution.start_time = execution.last_update_time = self.world.clock.now()
        self._at[execution.pipeline_execution_id] = 0
        self._later(call, execution)
        return reply

    @operation("StopPipelineExecution")
    def stop_pipeline_execution(self, call: Call) -> Reply:
        """Stop when the stage has ended, or at once when what it does is abandoned."""
        execution = self._execution(call, call.params["pipelineName"], call.params["pipelineExecutionId"])
        if execution.status != IN_PROGRESS:
            message = f"Pipeline execution is in status {execution.status} and cannot be stopped"
            raise AwsError("PipelineExecutionNotStoppableException", message)
        execution.status = STOPPED if call.params.get("abandon") else STOPPING
        return {"pipelineExecutionId": execution.pipeline_execution_id}

    @operation("DisableStageTransition")
    def disable_stage_transition(self, call: Call) -> Reply:
        """Close the way into a stage."""
        self._closed.setdefault(self._key(call), {})[self._stage(call)] = call.params["reason"]
        return {}

    @operation("EnableStageTransition")
    def enable_stage_transition(self, call: Call) -> Reply:
        """Open the way into a stage; what waited before it goes on."""
        stage = self._stage(call)
        self._closed.get(self._key(call), {}).pop(stage, None)
        pipeline = self._pipeline(call, call.params["pipelineName"])
        for execution in pipeline.executions.values():
            if execution.status == IN_PROGRESS and self._next(pipeline, execution) == stage:
                self._later(call, execution)
        return {}

    @operation("GetPipelineState")
    def get_pipeline_state(self, call: Call) -> Reply:
        """Tell of each stage whether it can be entered, and what was in it last."""
        pipeline = self._pipeline(call, call.params["name"])
        closed = self._closed.get((call.account, call.region, call.params["name"]), {})
        states = []
        for number, name in enumerate(_stages(pipeline)):
            state: dict[str, Any] = {"stageName": name, "actionStates": []}
            if number:  # nothing leads into the first stage but the source itself
                shut = {"disabledReason": closed[name]} if name in closed else {}
                state["inboundTransitionState"] = {"enabled": name not in closed, **shut}
            here = [e for e in pipeline.executions.values() if self._at.get(e.pipeline_execution_id, -1) >= number]
            if here:
                last = here[-1]
                done = self._at[last.pipeline_execution_id] > number
                status = SUCCEEDED if done else last.status
                state["latestExecution"] = {"pipelineExecutionId": last.pipeline_execution_id, "status": status}
            states.append(state)
        version = pipeline.pipeline["version"]
        return {"pipelineName": call.params["name"], "pipelineVersion": version, "stageStates": states}

    def _later(self, call: Call, execution: Any) -> None:
        self.world.clock.after(STAGE_SECONDS, lambda: self._advance(call, execution))

    def _advance(self, call: Call, execution: Any) -> None:
        pipeline = self._backend(call).pipelines.get(execution.pipeline_name)
        if pipeline is None or execution.status not in {IN_PROGRESS, STOPPING}:
            return
        execution.last_update_time = self.world.clock.now()
        following = self._next(pipeline, execution)
        if execution.status == STOPPING:
            execution.status = STOPPED
        elif following is None:
            execution.status = SUCCEEDED
        elif following not in self._closed.get((call.account, call.region, execution.pipeline_name), {}):
            self._at[execution.pipeline_execution_id] += 1
            self._later(call, execution)

    def _next(self, pipeline: Any, execution: Any) -> str | None:
        following = self._at[execution.pipeline_execution_id] + 1
        names = _stages(pipeline)
        return names[following] if following < len(names) else None

    def _key(self, call: Call) -> _Key:
        return call.account, call.region, call.params["pipelineName"]

    def _stage(self, call: Call) -> str:
        stage = str(call.params["stageName"])
        if stage not in _stages(self._pipeline(call, call.params["pipelineName"])):
            raise AwsError("StageNotFoundException", f"Pipeline has no stage {stage}")
        return stage

    def _execution(self, call: Call, name: str, execution_id: str) -> Any:
        found = self._pipeline(call, name).executions.get(execution_id)
        if found is None:
            raise AwsError("PipelineExecutionNotFoundException", f"Pipeline {name} has no execution {execution_id}")
        return found

    def _pipeline(self, call: Call, name: str) -> Any:
        found = self._backend(call).pipelines.get(name)
        if found is None:
            message = f"Account '{call.account}' does not have a pipeline with name '{name}'"
            raise AwsError("PipelineNotFoundException", message)
        return found

    def _backend(self, call: Call) -> Any:
        return self.world.backend("codepipeline", call.account, call.region)


def _stages(pipeline: Any) -> list[str]:
    return [stage["name"] for stage in pipeline.pipeline["stages"]]
