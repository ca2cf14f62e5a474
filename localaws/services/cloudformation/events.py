"""EventBridge and EventBridge Scheduler."""

from __future__ import annotations

import json
from typing import Any

from localaws.services.cloudformation.resource import Context, Made, Properties, ResourceType, pick


class Rule(ResourceType):
    """AWS::Events::Rule."""

    replaced_by = frozenset({"Name", "EventBusName"})

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.get("Name") or context.name(64)
        bus = pick(properties, "EventBusName")
        arn = self._put(context, name, properties, tags=context.tag_list(properties.get("Tags")))
        targets = properties.get("Targets")
        if targets:
            context.call("events", "PutTargets", Rule=name, Targets=targets, **bus)
        return Made(name if not bus else f"{bus['EventBusName']}|{name}", {"Arn": arn})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        name, bus = made.physical_id.rsplit("|", 1)[-1], pick(new, "EventBusName")
        self._put(context, name, new)
        gone = {t["Id"] for t in old.get("Targets", [])} - {t["Id"] for t in new.get("Targets", [])}
        if gone:
            context.call("events", "RemoveTargets", Rule=name, Ids=sorted(gone), **bus)
        if new.get("Targets"):
            context.call("events", "PutTargets", Rule=name, Targets=new["Targets"], **bus)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        name, bus = made.physical_id.rsplit("|", 1)[-1], pick(properties, "EventBusName")
        targets = context.call("events", "ListTargetsByRule", Rule=name, **bus).get("Targets", [])
        if targets:
            context.call("events", "RemoveTargets", Rule=name, Ids=[target["Id"] for target in targets], **bus)
        context.call("events", "DeleteRule", Name=name, **bus)

    def _put(self, context: Context, name: str, properties: Properties, tags: Any = None) -> str:
        pattern = properties.get("EventPattern")
        text = json.dumps(pattern) if pattern is not None and not isinstance(pattern, str) else pattern
        wanted = pick(properties, "ScheduleExpression", "State", "Description", "RoleArn", "EventBusName")
        reply = context.call("events", "PutRule", Name=name, EventPattern=text, Tags=tags or None, **wanted)
        return str(reply["RuleArn"])


class EventBus(ResourceType):
    """AWS::Events::EventBus."""

    replaced_by = frozenset({"Name"})

    def create(self, context: Context, properties: Properties) -> Made:
        wanted = pick(properties, "Name", "Description", "EventSourceName", "KmsKeyIdentifier", "DeadLetterConfig")
        tags = context.tag_list(properties.get("Tags"))
        arn = context.call("events", "CreateEventBus", Tags=tags or None, **wanted)["EventBusArn"]
        return Made(properties["Name"], {"Arn": arn, "Name": properties["Name"]})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        wanted = pick(new, "Name", "Description", "KmsKeyIdentifier", "DeadLetterConfig")
        context.call("events", "UpdateEventBus", **wanted)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("events", "DeleteEventBus", Name=made.physical_id)


class EventBusPolicy(ResourceType):
    """AWS::Events::EventBusPolicy."""

    replaced_by = frozenset({"EventBusName", "StatementId"})

    def create(self, context: Context, properties: Properties) -> Made:
        wanted = pick(properties, "EventBusName", "StatementId", "Action", "Principal", "Condition")
        statement = properties.get("Statement")
        if statement:
            policy = {"Version": "2012-10-17", "Statement": [{"Sid": properties["StatementId"], **statement}]}
            wanted = {**pick(properties, "EventBusName"), "Policy": json.dumps(policy)}
        context.call("events", "PutPermission", **wanted)
        return Made(properties["StatementId"])

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        self.delete(context, made, old)
        return self.create(context, new)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        bus = pick(properties, "EventBusName")
        context.call("events", "RemovePermission", StatementId=properties["StatementId"], **bus)


class Schedule(ResourceType):
    """AWS::Scheduler::Schedule."""

    replaced_by = frozenset({"Name", "GroupName"})

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.get("Name") or context.name(64)
        arn = context.call("scheduler", "CreateSchedule", **{**properties, "Name": name})["ScheduleArn"]
        return Made(name, {"Arn": arn})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        context.call("scheduler", "UpdateSchedule", **{**new, "Name": made.physical_id})
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("scheduler", "DeleteSchedule", Name=made.physical_id, **pick(properties, "GroupName"))


class ScheduleGroup(ResourceType):
    """AWS::Scheduler::ScheduleGroup."""

    replaced_by = frozenset({"Name"})

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.get("Name") or context.name(64)
        tags = context.tag_list(properties.get("Tags"))
        arn = context.call("scheduler", "CreateScheduleGroup", Name=name, Tags=tags or None)["ScheduleGroupArn"]
        return Made(name, {"Arn": arn})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("scheduler", "DeleteScheduleGroup", Name=made.physical_id)


TYPES: dict[str, ResourceType] = {
    "AWS::Events::EventBus": EventBus(),
    "AWS::Events::EventBusPolicy": EventBusPolicy(),
    "AWS::Events::Rule": Rule(),
    "AWS::Scheduler::Schedule": Schedule(),
    "AWS::Scheduler::ScheduleGroup": ScheduleGroup(),
}
