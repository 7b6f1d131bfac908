from typing import Any

import pytest
from aws_cdk.assertions import Match, Template

KEPT = (
    "AWS::DynamoDB::Table",
    "AWS::S3::Bucket",
    "AWS::KMS::Key",
    "AWS::SecretsManager::Secret",
    "AWS::Logs::LogGroup",
)


def table(template: Template, name: str) -> dict[str, Any]:
    tables = template.find_resources("AWS::DynamoDB::Table")
    (found,) = (each for id, each in tables.items() if id.startswith(f"Storage{name}"))
    properties: dict[str, Any] = found["Properties"]
    return properties


@pytest.mark.parametrize("name", ["Data", "Control"])
def test_tables_are_keyed_backed_up_sealed_and_guarded(default: Template, name: str) -> None:
    made = table(default, name)
    (key,) = default.find_resources("AWS::KMS::Key")
    assert made["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert {each["AttributeType"] for each in made["AttributeDefinitions"]} == {"S"}
    assert made["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert made["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True,
        "RecoveryPeriodInDays": 7,
    }
    assert made["SSESpecification"] == {
        "KMSMasterKeyId": {"Fn::GetAtt": [key, "Arn"]},
        "SSEEnabled": True,
        "SSEType": "KMS",
    }
    assert made["DeletionProtectionEnabled"] is True
    assert made["BillingMode"] == "PAY_PER_REQUEST"


def test_the_ring_projects_only_what_a_sync_never_changes(default: Template) -> None:
    assert "GlobalSecondaryIndexes" not in table(default, "Data")
    assert table(default, "Control")["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "ring",
            "KeySchema": [
                {"AttributeName": "ring", "KeyType": "HASH"},
                {"AttributeName": "pk", "KeyType": "RANGE"},
            ],
            "Projection": {
                "ProjectionType": "INCLUDE",
                "NonKeyAttributes": ["user", "provider", "zone", "wake", "resources", "silent_since"],
            },
        }
    ]


def test_events_are_kept_for_30_days_whatever_logs_are(default: Template, custom: Template) -> None:
    for template in (default, custom):
        groups = template.find_resources("AWS::Logs::LogGroup")
        (events,) = (each["Properties"] for id, each in groups.items() if id.startswith("StorageEvents"))
        assert events["RetentionInDays"] == 30
        assert "KmsKeyId" in events


@pytest.mark.parametrize("kind", KEPT)
def test_deleting_the_stack_keeps_the_data_unless_told_otherwise(
    default: Template, custom: Template, kind: str
) -> None:
    for template, policy in ((default, "Retain"), (custom, "Delete")):
        made = template.find_resources(kind)
        assert made
        assert {each.get("DeletionPolicy") for each in made.values()} == {policy}
        assert {each.get("UpdateReplacePolicy") for each in made.values()} == {policy}


def test_destroy_lifts_deletion_protection(custom: Template) -> None:
    assert table(custom, "Data")["DeletionProtectionEnabled"] is False
    assert table(custom, "Data")["PointInTimeRecoverySpecification"]["RecoveryPeriodInDays"] == 35


def test_provisioned_billing_scales_both_tables_and_the_ring(custom: Template) -> None:
    assert "BillingMode" not in table(custom, "Data")
    targets = custom.find_resources("AWS::ApplicationAutoScaling::ScalableTarget")
    limits = [(each["Properties"]["MinCapacity"], each["Properties"]["MaxCapacity"]) for each in targets.values()]
    assert limits == [(5, 1000)] * 6
    custom.resource_count_is("AWS::ApplicationAutoScaling::ScalingPolicy", 6)


def test_the_key_rotates(default: Template) -> None:
    default.resource_count_is("AWS::KMS::Key", 1)
    default.has_resource_properties("AWS::KMS::Key", {"EnableKeyRotation": True})


@pytest.mark.parametrize(("variant", "days"), [("default", 30), ("custom", 3)])
def test_raw_replies_and_exports_expire(variant: str, days: int, request: pytest.FixtureRequest) -> None:
    template: Template = request.getfixturevalue(variant)
    rules = [
        {"Id": prefix, "Prefix": f"{prefix}/", "ExpirationInDays": days, "Status": "Enabled"}
        for prefix in ("raw", "inbox", "uploads")
    ]
    rules.append({"Id": "exports", "Prefix": "exports/", "ExpirationInDays": 7, "Status": "Enabled"})
    template.has_resource_properties(
        "AWS::S3::Bucket",
        {
            "LifecycleConfiguration": {"Rules": rules},
            "LoggingConfiguration": Match.any_value(),
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {
                        "BucketKeyEnabled": True,
                        "ServerSideEncryptionByDefault": Match.object_like({"SSEAlgorithm": "aws:kms"}),
                    }
                ]
            },
            "VersioningConfiguration": Match.absent(),
        },
    )


def test_buckets_are_private_and_refuse_plain_http(default: Template) -> None:
    buckets = default.find_resources("AWS::S3::Bucket")
    blocked = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    for each in buckets.values():
        assert each["Properties"]["PublicAccessBlockConfiguration"] == dict.fromkeys(blocked, True)
    assert refuse_plain_http(default, "AWS::S3::BucketPolicy", "Bucket") == set(buckets)


def refuse_plain_http(template: Template, kind: str, target: str) -> set[str]:
    def refuses(statement: dict[str, Any]) -> bool:
        return statement["Effect"] == "Deny" and statement.get("Condition") == {
            "Bool": {"aws:SecureTransport": "false"}
        }

    policies = [each["Properties"] for each in template.find_resources(kind).values()]
    return {policy[target]["Ref"] for policy in policies if any(map(refuses, policy["PolicyDocument"]["Statement"]))}


def test_the_secret_starts_with_a_hook_key_and_no_providers(default: Template) -> None:
    default.has_resource_properties(
        "AWS::SecretsManager::Secret",
        {
            "Name": "Tributary/app",
            "KmsKeyId": Match.any_value(),
            "GenerateSecretString": Match.object_like(
                {"SecretStringTemplate": '{"providers":{}}', "GenerateStringKey": "hook_key"}
            ),
        },
    )
