"""Event source mappings whose states take a moment: Creating, Enabling, Disabling, Updating, Deleting.

A mapping that is being enabled delivers nothing yet, one that is being disabled still delivers. For AWS services
(CloudFormation) a change holds at once. A fault of the scenario acts on `lambda.event-source-mapping` (resource: the
mapping's ARN); a failed change leaves the mapping as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from localaws.lambda_runtime import moto_bridge
from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.lambda_functions import acts_for_itself, named

CHANGE_SECONDS = 15.0


class EventSourceMappings(Service):
    """The operations on event source mappings."""

    @operation("CreateEventSourceMapping")
    def create_event_source_mapping(self, call: Call) -> Reply:
        """Create a mapping, Creating first."""
        reply = self.world.moto(call)
        mapping = self._mapping(call, reply["UUID"])
        enabled = bool(mapping.enabled)

        def done() -> None:
            mapping.enabled = enabled

        self._change(call, mapping, "Creating", done)
        if not acts_for_itself(call):
            mapping.enabled = False
        return _shown(mapping, reply)

    @operation("UpdateEventSourceMapping")
    def update_event_source_mapping(self, call: Call) -> Reply:
        """Change a mapping. Raises ResourceNotFoundException, ResourceInUseException while it changes."""
        mapping = self._mapping(call, call.params["UUID"])
        _refuse_busy(mapping)
        wanted = call.params.get("Enabled")
        before = bool(mapping.enabled)
        reply = self.world.moto(call.with_params(Enabled=None))

        def done() -> None:
            if wanted is not None:
                mapping.enabled = wanted

        state = "Updating" if wanted is None or wanted == before else "Enabling" if wanted else "Disabling"
        self._change(call, mapping, state, done)
        return _shown(mapping, reply)

    @operation("DeleteEventSourceMapping")
    def delete_event_source_mapping(self, call: Call) -> Reply:
        """Delete a mapping. Raises ResourceNotFoundException, ResourceInUseException while it changes."""
        mapping = self._mapping(call, call.params["UUID"])
        _refuse_busy(mapping)
        reply = self.get_event_source_mapping(call)
        backend = moto_bridge.backend(call.account, call.region)
        self._change(call, mapping, "Deleting", lambda: backend.delete_event_source_mapping(mapping.uuid))
        return {**reply, "State": "Deleting"}

    @operation("GetEventSourceMapping")
    def get_event_source_mapping(self, call: Call) -> Reply:
        """Describe a mapping. Raises ResourceNotFoundException."""
        mapping = self._mapping(call, call.params["UUID"])
        asked = replace(call, operation="GetEventSourceMapping", params={"UUID": mapping.uuid})
        return _shown(mapping, self.world.moto(asked))

    @operation("ListEventSourceMappings")
    def list_event_source_mappings(self, call: Call) -> Reply:
        """List mappings, of a function when it is named by name, ARN or with a qualifier."""
        reply = self.world.moto(call.with_params(FunctionName=None))
        shown = [_shown(self._mapping(call, each["UUID"]), each) for each in reply["EventSourceMappings"]]
        if wanted := call.params.get("FunctionName"):
            name = named(call, wanted)
            shown = [each for each in shown if named(call, self._mapping(call, each["UUID"]).function_name) == name]
        return {"EventSourceMappings": shown}

    def _mapping(self, call: Call, mapping_id: str) -> Any:
        found = moto_bridge.backend(call.account, call.region).get_event_source_mapping(mapping_id)
        if found is None:
            message = "The resource you requested does not exist."
            raise AwsError("ResourceNotFoundException", message, 404, Type="User")
        return found

    def _change(self, call: Call, mapping: Any, state: str, effect: Callable[[], object]) -> None:
        if acts_for_itself(call):
            effect()
            return
        mapping.changing = state

        def done() -> None:
            mapping.changing = None
            effect()

        def failed() -> None:
            mapping.changing = None

        self.world.transition("lambda.event-source-mapping", mapping.arn, CHANGE_SECONDS, done, failed)


def _refuse_busy(mapping: Any) -> None:
    state = getattr(mapping, "changing", None)
    if state is not None:
        message = f"Cannot update the event source mapping because it is in use: it is {state}."
        raise AwsError("ResourceInUseException", message, 400, Type="User")


def _shown(mapping: Any, described: Reply) -> Reply:
    state = getattr(mapping, "changing", None) or ("Enabled" if mapping.enabled else "Disabled")
    return {**described, "State": state}
