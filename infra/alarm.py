from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct


def alarm(scope: Construct, id: str, metric: cloudwatch.IMetric, at_least: float, means: str) -> cloudwatch.Alarm:
    """Silence is health: a queue or function nobody uses reports nothing."""
    return cloudwatch.Alarm(
        scope,
        id,
        metric=metric,
        threshold=at_least,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        alarm_description=means,
    )


def heartbeat(scope: Construct, id: str, metric: cloudwatch.IMetric, means: str) -> cloudwatch.Alarm:
    """For what never rests, silence is a fault."""
    return cloudwatch.Alarm(
        scope,
        id,
        metric=metric,
        threshold=1,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        alarm_description=means,
    )


def tell(scope: Construct, topic_arn: str) -> None:
    """Every alarm under `scope` speaks to one topic."""
    action = actions.SnsAction(sns.Topic.from_topic_arn(scope, "AlarmTopic", topic_arn))
    for construct in scope.node.find_all():
        if isinstance(construct, cloudwatch.Alarm):
            construct.add_alarm_action(action)
