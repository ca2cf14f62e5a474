"""CloudWatch and CloudWatch Logs."""

from __future__ import annotations

import json
from typing import Any

from localaws.services.cloudformation.identity import document
from localaws.services.cloudformation.resource import Context, Made, Properties, ResourceType, camel, pick


class Alarm(ResourceType):
    """AWS::CloudWatch::Alarm and AWS::CloudWatch::CompositeAlarm."""

    replaced_by = frozenset({"AlarmName"})

    def __init__(self, operation: str) -> None:
        self.operation = operation

    def create(self, context: Context, properties: Properties) -> Made:
        return self._put(context, properties.get("AlarmName") or context.name(255), properties)

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        return self._put(context, made.physical_id, new)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("cloudwatch", "DeleteAlarms", AlarmNames=[made.physical_id])

    def _put(self, context: Context, name: str, properties: Properties) -> Made:
        wanted = {**properties, "AlarmName": name}
        tags = context.tag_list(properties.get("Tags"))
        wanted["Tags"] = tags or None
        context.call("cloudwatch", self.operation, **wanted)
        return Made(name, {"Arn": f"arn:aws:cloudwatch:{context.region}:{context.account}:alarm:{name}"})


class Dashboard(ResourceType):
    """AWS::CloudWatch::Dashboard."""

    replaced_by = frozenset({"DashboardName"})

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.get("DashboardName") or context.name(255)
        context.call("cloudwatch", "PutDashboard", DashboardName=name, DashboardBody=_text(properties["DashboardBody"]))
        return Made(name)

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        return self.create(context, {**new, "DashboardName": made.physical_id})

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("cloudwatch", "DeleteDashboards", DashboardNames=[made.physical_id])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class LogGroup(ResourceType):
    """AWS::Logs::LogGroup."""

    replaced_by = frozenset({"LogGroupName", "LogGroupClass"})

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.get("LogGroupName") or context.name(255)
        context.call(
            "logs",
            "CreateLogGroup",
            logGroupName=name,
            tags=context.tag_map(properties.get("Tags")) or None,
            **pick(properties, kmsKeyId="KmsKeyId", logGroupClass="LogGroupClass"),
        )
        self._retention(context, name, properties)
        return Made(name, {"Arn": f"arn:aws:logs:{context.region}:{context.account}:log-group:{name}:*"})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        self._retention(context, made.physical_id, new)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("logs", "DeleteLogGroup", logGroupName=made.physical_id)

    def _retention(self, context: Context, name: str, properties: Properties) -> None:
        days = properties.get("RetentionInDays")
        if days is not None:
            context.call("logs", "PutRetentionPolicy", logGroupName=name, retentionInDays=days)


class MetricFilter(ResourceType):
    """AWS::Logs::MetricFilter."""

    replaced_by = frozenset({"FilterName", "LogGroupName"})

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.get("FilterName") or context.name(255)
        transformations = camel(properties["MetricTransformations"])
        for transformation in transformations:
            if isinstance(transformation.get("dimensions"), list):
                pairs = transformation["dimensions"]
                transformation["dimensions"] = {pair["key"]: pair["value"] for pair in pairs}
        context.call(
            "logs",
            "PutMetricFilter",
            filterName=name,
            metricTransformations=transformations,
            **pick(properties, logGroupName="LogGroupName", filterPattern="FilterPattern"),
        )
        return Made(name)

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        return self.create(context, {**new, "FilterName": made.physical_id})

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        group = properties["LogGroupName"]
        context.call("logs", "DeleteMetricFilter", filterName=made.physical_id, logGroupName=group)


class ResourcePolicy(ResourceType):
    """AWS::Logs::ResourcePolicy."""

    replaced_by = frozenset({"PolicyName"})

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties["PolicyName"]
        text = document(properties["PolicyDocument"])
        context.call("logs", "PutResourcePolicy", policyName=name, policyDocument=text)
        return Made(name)

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        return self.create(context, new)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("logs", "DeleteResourcePolicy", policyName=made.physical_id)


TYPES: dict[str, ResourceType] = {
    "AWS::CloudWatch::Alarm": Alarm("PutMetricAlarm"),
    "AWS::CloudWatch::CompositeAlarm": Alarm("PutCompositeAlarm"),
    "AWS::CloudWatch::Dashboard": Dashboard(),
    "AWS::Logs::LogGroup": LogGroup(),
    "AWS::Logs::MetricFilter": MetricFilter(),
    "AWS::Logs::ResourcePolicy": ResourcePolicy(),
}
