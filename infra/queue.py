"""A queue that cannot be made without its dead-letter queue and the alarm on it."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.alarm import alarm
from infra.grant import Grant
from shared.jobs import RECEIVES


class Queue(sqs.Queue):
    def __init__(self, scope: Construct, id: str, key: kms.IKey, *, visibility_s: int = 30) -> None:
        # A moved message keeps its age, so the dead letters must live longer than the queue's own four days.
        self.dead = sqs.Queue(
            scope,
            f"{id}Dead",
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        super().__init__(
            scope,
            id,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=Duration.days(4),
            visibility_timeout=Duration.seconds(visibility_s),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead, max_receive_count=RECEIVES),
        )
        alarm(
            self,
            "DeadLetters",
            self.dead_letters(),
            1,
            f"Messages of {id} failed {RECEIVES} times: see docs/operations.md",
        )

    def dead_letters(self) -> cloudwatch.Metric:
        return self.dead.metric_approximate_number_of_messages_visible(period=Duration.minutes(1), statistic="Maximum")

    def oldest_s(self) -> cloudwatch.Metric:
        return self.metric_approximate_age_of_oldest_message(period=Duration.minutes(1), statistic="Maximum")

    @property
    def send(self) -> Grant:
        return Grant("sqs", ("SendMessage",), self.queue_arn)

    @property
    def sort_dead(self) -> Grant:
        """To look through the dead letters and take out those of people who are gone."""
        return Grant("sqs", ("ReceiveMessage", "DeleteMessage"), self.dead.queue_arn)

    @property
    def consume(self) -> Grant:
        # Lambda's poller uses the function's role; the worker itself sets how long a failed message waits.
        actions = ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes")
        return Grant("sqs", actions, self.queue_arn)
