"""The topic through which the hub speaks to people, and the queue for events nobody could handle."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.config import Config, Contacts
from orchestrator.names import DEAD_LETTERS, TOPIC
from orchestrator.notify import Notice

CUSTOMER_ATTRIBUTE = "Customer"
"""Message attribute by which a customer's contacts are chosen."""


OVERDUE = {"Notice": Notice.REMINDER.value}
"""Of the second list of contacts: only that a gate was not answered in time."""


class Notifications(Construct):
    """Operators hear everything, a customer's contacts what carries the customer's name, a second list what is overdue."""

    def __init__(self, scope: Construct, construct_id: str, *, config: Config, key: kms.IKey) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Topic", topic_name=TOPIC, display_name="DR", master_key=key, enforce_ssl=True)
        self._subscribe(config.operators, {})
        self._subscribe(config.escalation, OVERDUE)
        for customer in config.customers:
            only = {CUSTOMER_ATTRIBUTE: customer.name}
            self._subscribe(customer.contacts, only)
            self._subscribe(customer.escalation, {**only, **OVERDUE})
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=DEAD_LETTERS,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )

    def _subscribe(self, contacts: Contacts, attributes: Mapping[str, str]) -> None:
        only = {name: _equals(value) for name, value in attributes.items()} or None
        for email in contacts.emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(email, filter_policy=only))
        for phone in contacts.phones:
            self.topic.add_subscription(subscriptions.SmsSubscription(phone, filter_policy=only))


def _equals(value: str) -> sns.SubscriptionFilter:
    return sns.SubscriptionFilter.string_filter(allowlist=[value])
