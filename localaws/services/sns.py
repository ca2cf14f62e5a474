"""SNS: moto keeps topics and subscriptions; what people would receive lands in an outbox.

GET /_localaws/outbox?since=N lists messages to e-mail and telephone; GET /_localaws/publishes every publish.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from moto.sns import models

from localaws.service import Call, Reply, Service, operation

if TYPE_CHECKING:
    from localaws.world import World

log = logging.getLogger("localaws.sns")

_TO_PEOPLE = {"email", "email-json", "sms"}
_subscription_publish = models.Subscription.publish
_topic_publish = models.Topic.publish


class SnsService(Service):
    """`outbox`: messages to people, oldest first. `publishes`: every publish to a topic or telephone."""

    name: ClassVar[str] = "sns"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.outbox: list[dict[str, Any]] = []
        self.publishes: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        routes = getattr(world, "admin_routes", None)
        if routes is not None:
            routes["outbox"] = lambda _local, _method, query, _body: _since(self.outbox, query)
            routes["publishes"] = lambda _local, _method, query, _body: _since(self.publishes, query)
        self._patch()

    def reset(self) -> None:
        """Empty the outbox."""
        self.outbox.clear()
        self.publishes.clear()

    @operation("Publish")
    def publish(self, call: Call) -> Reply:
        """Publish through moto; a text message to a telephone lands in the outbox."""
        reply = self.world.moto(call)
        number = call.params.get("PhoneNumber")
        if number:
            record = self._record(call.account, call.region, None, call.params.get("Message"), None, {})
            self._add({**record, "protocol": "sms", "endpoint": number})
        return reply

    def _patch(self) -> None:
        """Hear every publish inside moto: those of alarms and templates do not come as calls."""
        service = self

        def topic(self: Any, message: str, subject: str | None = None, *args: Any, **kwargs: Any) -> str:
            attributes = kwargs.get("message_attributes") or (args[0] if args else None) or {}
            backend = self.sns_backend
            record = service._record(backend.account_id, backend.region_name, self.arn, message, subject, attributes)
            service.publishes.append(record)
            return str(_topic_publish(self, message, subject, *args, **kwargs))

        def subscription(self: Any, message: str, message_id: str, **kwargs: Any) -> None:
            if self.protocol == "lambda" or self.protocol in _TO_PEOPLE:
                service._send(self, message, message_id, **kwargs)
            else:
                _subscription_publish(self, message, message_id, **kwargs)

        models.Topic.publish = topic
        models.Subscription.publish = subscription

    def _send(self, subscription: Any, message: str, message_id: str, **kwargs: Any) -> None:
        """Deliver to a function or a person; a person's subscription counts as confirmed."""
        subject, attributes = kwargs.get("subject"), kwargs.get("message_attributes") or {}
        matcher = subscription._filter_policy_matcher
        if matcher is not None and not matcher.matches(attributes, message):
            return
        if kwargs.get("message_structure") == "json":
            message = subscription._parse_message_structure(message, subscription.protocol)
        backend = subscription.topic.sns_backend
        record = self._record(
            backend.account_id, backend.region_name, subscription.topic.arn, message, subject, attributes
        )
        if subscription.protocol == "lambda":
            self._invoke(subscription, record, message_id)
        else:
            self._add({**record, "protocol": subscription.protocol, "endpoint": subscription.endpoint})

    def _invoke(self, subscription: Any, record: Mapping[str, Any], message_id: str) -> None:
        notification = {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": record["topic"],
            "Subject": record["subject"],
            "Message": record["message"],
            "Timestamp": record["time"],
            "MessageAttributes": record["attributes"],
        }
        entry = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription.arn,
            "Sns": notification,
        }
        parts = subscription.endpoint.split(":")
        invoker: Any = self.world.service("lambda")
        event = json.dumps({"Records": [entry]}).encode()
        self.world.background(lambda: invoker.invoke_event(parts[4], parts[3], parts[6], event))

    def _record(
        self,
        account: str,
        region: str,
        topic: str | None,
        message: Any,
        subject: str | None,
        attributes: Mapping[str, Any],
    ) -> dict[str, Any]:
        return {
            "id": str(uuid.uuid4()),
            "time": self.world.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "account": account,
            "region": region,
            "topic": topic,
            "subject": subject,
            "message": message,
            "attributes": {name: dict(value) for name, value in attributes.items()},
        }

    def _add(self, record: dict[str, Any]) -> None:
        with self._lock:
            self.outbox.append(record)
        log.info("outbox: %s to %s: %s", record["protocol"], record["endpoint"], record["subject"] or record["message"])


def _since(records: list[dict[str, Any]], query: Mapping[str, str]) -> Any:
    start = int(query.get("since", "0"))
    shown = records[start:]
    return {"next": start + len(shown), "messages": shown}
