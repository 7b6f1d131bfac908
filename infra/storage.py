"""Where things rest: two tables, the raw replies, events, the providers' app credentials, all under one key."""

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.grant import Grant
from infra.logs import LogGroup
from infra.settings import Settings
from shared import exports

STRING = dynamodb.AttributeType.STRING


class Storage(Construct):
    def __init__(self, scope: Construct, id: str, settings: Settings) -> None:
        super().__init__(scope, id)
        self.settings = settings
        self.key = self._key()
        self.data = self._table("Data")
        self.control = self._table("Control")
        self._index_ring()
        if settings.billing == "provisioned":
            _scale(self.data)
            _scale(self.control, "ring")
        self.raw_access = self._raw_access()
        self.raw = self._raw()
        self.secret = self._secret()
        # What the API promises to keep, so not `log_retention_days`.
        self.events = LogGroup(self, "Events", self.key, settings, days=30)

    def data_may(self, *actions: str) -> Grant:
        return Grant("dynamodb", actions, self.data.table_arn)

    def control_may(self, *actions: str) -> Grant:
        return Grant("dynamodb", actions, self.control.table_arn)

    def raw_may(self, prefix: str, *actions: str) -> Grant:
        return Grant("s3", actions, self.raw.arn_for_objects(f"{prefix}/*"))

    def key_may(self, *actions: str) -> Grant:
        return Grant("kms", actions, self.key.key_arn)

    def events_may(self, *actions: str) -> Grant:
        return Grant("logs", actions, self.events.log_group_arn)

    @property
    def read_ring(self) -> Grant:
        return Grant("dynamodb", ("Query",), f"{self.control.table_arn}/index/ring")

    @property
    def list_raw(self) -> Grant:
        # Without it S3 answers 403 for an object that is gone, and a job delivered twice would look forbidden.
        return Grant("s3", ("ListBucket",), self.raw.bucket_arn)

    @property
    def read_secret(self) -> Grant:
        return Grant("secretsmanager", ("GetSecretValue",), self.secret.secret_arn)

    def _key(self) -> kms.Key:
        key = kms.Key(
            self,
            "Key",
            description="Tributary: tables, raw replies, queues, logs and the vault's branch keys",
            enable_key_rotation=True,
            removal_policy=self.settings.removal_policy,
        )
        stack = Stack.of(self)
        log_groups = stack.format_arn(
            service="logs", resource="log-group", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
            )
        )
        return key

    def _table(self, id: str) -> dynamodb.Table:
        # Not TableV2: with a key of our own it must know its region, and so would everyone who synthesizes.
        on_demand = self.settings.billing == "on_demand"
        return dynamodb.Table(
            self,
            id,
            partition_key=dynamodb.Attribute(name="pk", type=STRING),
            sort_key=dynamodb.Attribute(name="sk", type=STRING),
            time_to_live_attribute="expires",
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST if on_demand else dynamodb.BillingMode.PROVISIONED,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self.key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True, recovery_period_in_days=self.settings.backup_days
            ),
            deletion_protection=self.settings.retain,
            removal_policy=self.settings.removal_policy,
        )

    def _index_ring(self) -> None:
        """What the poller asks of a connection: nothing that changes with a sync, so no sync writes the index."""
        self.control.add_global_secondary_index(
            index_name="ring",
            partition_key=dynamodb.Attribute(name="ring", type=STRING),
            sort_key=dynamodb.Attribute(name="pk", type=STRING),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=["user", "provider", "zone", "wake", "resources", "silent_since"],
        )

    def _raw_access(self) -> s3.Bucket:
        return s3.Bucket(
            self,
            "RawAccess",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(self.settings.log_retention_days))],
            removal_policy=self.settings.removal_policy,
        )

    def _raw(self) -> s3.Bucket:
        expiration, week = Duration.days(self.settings.raw_retention_days), Duration.days(exports.KEPT_DAYS)
        return s3.Bucket(
            self,
            "Raw",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            # One data key serves the whole bucket for a while: a KMS call per object would cost more than the object.
            bucket_key_enabled=True,
            enforce_ssl=True,
            server_access_logs_bucket=self.raw_access,
            lifecycle_rules=[
                *(
                    s3.LifecycleRule(id=prefix, prefix=f"{prefix}/", expiration=expiration)
                    for prefix in ("raw", "inbox", "uploads")
                ),
                s3.LifecycleRule(id=exports.PREFIX, prefix=f"{exports.PREFIX}/", expiration=week),
            ],
            removal_policy=self.settings.removal_policy,
        )

    def _secret(self) -> secretsmanager.Secret:
        return secretsmanager.Secret(
            self,
            "App",
            secret_name=f"{self.settings.stack_name}/app",
            description="Provider app credentials, and the key that secret webhook paths are derived from",
            encryption_key=self.key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template='{"providers":{}}',
                generate_string_key="hook_key",
                exclude_punctuation=True,
                password_length=64,
            ),
            removal_policy=self.settings.removal_policy,
        )


def _scale(table: dynamodb.Table, *indexes: str) -> None:
    between = {"min_capacity": 5, "max_capacity": 1000}
    scaled = [table.auto_scale_read_capacity(**between), table.auto_scale_write_capacity(**between)]
    for index in indexes:
        scaled.append(table.auto_scale_global_secondary_index_read_capacity(index, **between))
        scaled.append(table.auto_scale_global_secondary_index_write_capacity(index, **between))
    for capacity in scaled:
        capacity.scale_on_utilization(target_utilization_percent=70)
