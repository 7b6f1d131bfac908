from dataclasses import dataclass

from aws_cdk import aws_iam as iam


@dataclass(frozen=True)
class Grant:
    """Exact actions on one exact resource."""

    service: str
    actions: tuple[str, ...]
    resource: str

    def statement(self) -> iam.PolicyStatement:
        actions = [f"{self.service}:{action}" for action in self.actions]
        return iam.PolicyStatement(actions=actions, resources=[self.resource])
