"""SNS and SQS."""

from __future__ import annotations

import json
from typing import Any

from localaws.services.cloudformation.identity import document
from localaws.services.cloudformation.resource import Context, Made, Properties, ResourceType


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


class Topic(ResourceType):
    """AWS::SNS::Topic."""

    replaced_by = frozenset({"TopicName", "FifoTopic"})
    others = frozenset({"TopicName", "Subscription", "Tags"})

    def create(self, context: Context, properties: Properties) -> Made:
        fifo = _text(properties.get("FifoTopic", "false")) == "true"
        name = properties.get("TopicName") or context.name(250) + (".fifo" if fifo else "")
        tags = context.tag_list(properties.get("Tags"))
        attributes = self._attributes(properties)
        arn = context.call("sns", "CreateTopic", Name=name, Attributes=attributes, Tags=tags or None)["TopicArn"]
        for subscription in properties.get("Subscription", []):
            context.call("sns", "Subscribe", TopicArn=arn, **subscription)
        return Made(arn, {"TopicArn": arn, "TopicName": name})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        before = self._attributes(old)
        for name, value in self._attributes(new).items():
            if before.get(name) != value:
                context.call(
                    "sns",
                    "SetTopicAttributes",
                    TopicArn=made.physical_id,
                    AttributeName=name,
                    AttributeValue=value,
                )
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("sns", "DeleteTopic", TopicArn=made.physical_id)

    def _attributes(self, properties: Properties) -> dict[str, str]:
        return {name: _text(value) for name, value in properties.items() if name not in self.others}


class TopicPolicy(ResourceType):
    """AWS::SNS::TopicPolicy."""

    def create(self, context: Context, properties: Properties) -> Made:
        text = document(properties["PolicyDocument"])
        for arn in properties["Topics"]:
            context.call("sns", "SetTopicAttributes", TopicArn=arn, AttributeName="Policy", AttributeValue=text)
        return Made(context.name(128))

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        self.create(context, new)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        """Leave the topic's policy: AWS puts the default back, which grants the owner only."""


class Subscription(ResourceType):
    """AWS::SNS::Subscription."""

    replaced_by = frozenset({"TopicArn", "Protocol", "Endpoint"})
    attributes = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy", "DeliveryPolicy")

    def create(self, context: Context, properties: Properties) -> Made:
        attributes = {name: _text(properties[name]) for name in self.attributes if name in properties}
        arn = context.call(
            "sns",
            "Subscribe",
            region=properties.get("Region") or properties["TopicArn"].split(":")[3],
            TopicArn=properties["TopicArn"],
            Protocol=properties["Protocol"],
            Endpoint=properties.get("Endpoint"),
            Attributes=attributes or None,
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return Made(arn, {"Arn": arn})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        for name in self.attributes:
            if name in new and new[name] != old.get(name):
                context.call(
                    "sns",
                    "SetSubscriptionAttributes",
                    SubscriptionArn=made.physical_id,
                    AttributeName=name,
                    AttributeValue=_text(new[name]),
                )
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("sns", "Unsubscribe", SubscriptionArn=made.physical_id)


class Queue(ResourceType):
    """AWS::SQS::Queue."""

    replaced_by = frozenset({"QueueName", "FifoQueue"})
    others = frozenset({"QueueName", "Tags"})

    def create(self, context: Context, properties: Properties) -> Made:
        fifo = _text(properties.get("FifoQueue", "false")) == "true"
        name = properties.get("QueueName") or context.name(70) + (".fifo" if fifo else "")
        tags = context.tag_map(properties.get("Tags"))
        url = context.call(
            "sqs", "CreateQueue", QueueName=name, Attributes=self._attributes(properties), tags=tags or None
        )["QueueUrl"]
        arn = f"arn:aws:sqs:{context.region}:{context.account}:{name}"
        return Made(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        attributes = self._attributes(new)
        if attributes:
            context.call("sqs", "SetQueueAttributes", QueueUrl=made.physical_id, Attributes=attributes)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("sqs", "DeleteQueue", QueueUrl=made.physical_id)

    def _attributes(self, properties: Properties) -> dict[str, str]:
        return {name: _text(value) for name, value in properties.items() if name not in self.others}


class QueuePolicy(ResourceType):
    """AWS::SQS::QueuePolicy."""

    def create(self, context: Context, properties: Properties) -> Made:
        text = document(properties["PolicyDocument"])
        for url in properties["Queues"]:
            context.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": text})
        return Made(context.name(128))

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        self.create(context, new)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        for url in properties["Queues"]:
            context.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": ""})


TYPES: dict[str, ResourceType] = {
    "AWS::SNS::Subscription": Subscription(),
    "AWS::SNS::Topic": Topic(),
    "AWS::SNS::TopicPolicy": TopicPolicy(),
    "AWS::SQS::Queue": Queue(),
    "AWS::SQS::QueuePolicy": QueuePolicy(),
}
