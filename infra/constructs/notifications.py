"""The topic through which the hub speaks to people, and the queue for events nobody could handle."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.config import Config, Contacts
from orchestrator.names import DEAD_LETTERS, TOPIC

CUSTOMER_ATTRIBUTE = "Customer"
"""Message attribute by which a customer's contacts are chosen."""


class Notifications(Construct):
    """Operators hear everything; a customer's contacts hear messages that carry the customer's name."""

    def __init__(self, scope: Construct, construct_id: str, *, config: Config, key: kms.IKey) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Topic", topic_name=TOPIC, display_name="DR", master_key=key, enforce_ssl=True)
        self._subscribe(config.operators, None)
        for customer in config.customers:
            self._subscribe(customer.contacts, customer.name)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=DEAD_LETTERS,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )

    def _subscribe(self, contacts: Contacts, customer: str | None) -> None:
        only = None if customer is None else {CUSTOMER_ATTRIBUTE: _equals(customer)}
        for email in contacts.emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(email, filter_policy=only))
        for phone in contacts.phones:
            self.topic.add_subscription(subscriptions.SmsSubscription(phone, filter_policy=only))


def _equals(value: str) -> sns.SubscriptionFilter:
    return sns.SubscriptionFilter.string_filter(allowlist=[value])
