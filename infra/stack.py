"""The whole of Tributary: doors put one message on a queue, workers take it from there."""

from aws_cdk import CfnOutput, Duration, Stack, Tags
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from infra import alarm, freshness, nag
from infra.api import Api
from infra.bundle import AUTHORITIES
from infra.dashboard import dashboard
from infra.function import Function, code, folder
from infra.grant import Grant
from infra.queue import Queue
from infra.settings import Settings
from infra.sign_in import UserPool, authorizer
from infra.storage import Storage
from shared import exports, imports
from shared.jobs import TOGETHER

POLL_TIMEOUT_S = 60
EXPORT_TIMEOUT_S = 600
"""Time for millions of samples in the slowest format (bench/reads.py); more is refused as too large."""
IMPORT_TIMEOUT_S = 900
"""As long as Lambda lets it: a file that takes longer is gone on with by the next."""
READ = ("GetItem", "BatchGetItem", "Query")
EDIT = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")
MERGE = ("GetItem", "PutItem", "UpdateItem", "Query")
WRITE = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "ConditionCheckItem")
DOOR_S = 30
"""The longest any door may run."""
CLOCKS_S = 5
"""How far the clocks of two machines may be apart."""


class Tributary(Stack):
    """
    connect  callback  disconnect  erase  webhook push upload sync poll ── segments (+DLQ)     api  events
       └────────┴───────────┴───────┴──┐     └──────┴────┴─────┴────┘                   readings  periods
                         connections, tokens             one small job                      └──┬──┘
                                                 │                    │                        │ reads
                                                 │                    │
                        fresh (+DLQ) ── worker ──┴── bulk (+DLQ) ── worker-bulk
                                                 │
                                 raw replies, sections, days ── changes (+DLQ) ── the app
    """

    def __init__(self, scope: Construct, settings: Settings) -> None:
        super().__init__(scope, settings.stack_name, description="Tributary: wearable and health data, synced")
        self.settings = settings
        self.store = Storage(self, "Storage", settings)
        key = self.store.key
        # Lambda asks that a message stay hidden six times as long as its worker may run.
        self.fresh = Queue(self, "Fresh", key, visibility_s=6 * settings.worker_timeout_s)
        self.bulk = Queue(self, "Bulk", key, visibility_s=6 * settings.worker_timeout_s)
        self.segments = Queue(self, "Segments", key, visibility_s=6 * POLL_TIMEOUT_S)
        self.exports = Queue(self, "Exports", key, visibility_s=6 * EXPORT_TIMEOUT_S)
        self.imports = Queue(self, "Imports", key, visibility_s=6 * IMPORT_TIMEOUT_S)
        self.changes = Queue(self, "Changes", key)

        self.pool = None if settings.oidc_issuer else UserPool(self, "Users", settings)
        self.api = Api(self, "Gateway", key, settings, authorizer(settings, self.pool))
        self.functions = self._functions()
        self.routes = self.api.open(self.functions)
        self._feed_workers()
        self._feed_one_by_one()
        self._tick()

        alarm.alarm(self, "FreshWaits", self.fresh.oldest_s(), 15 * 60, "Fresh data waits over 15 minutes")
        alarm.alarm(
            self, "SegmentsWait", self.segments.oldest_s(), 15 * 60, "Polling is 15 minutes behind its timetable"
        )
        ticks = self.functions["poll"].metric_invocations(period=Duration.minutes(15), statistic="Sum")
        alarm.heartbeat(self, "RingStopped", ticks, "Nothing has been polled for 15 minutes: is the rule enabled?")
        freshness.alarms(self, settings.stack_name)
        if settings.alarm_topic_arn:
            alarm.tell(self, settings.alarm_topic_arn)
        queues = (self.fresh, self.bulk, self.segments, self.exports, self.imports, self.changes)
        dashboard(self, settings.stack_name, self.api, queues, self.functions, self.store)
        self._outputs()
        for name, value in settings.tags.items():
            Tags.of(self).add(name, value)
        nag.acknowledge(self)

    def _functions(self) -> dict[str, Function]:
        """Each Lambda: memory in MB, timeout in s, and everything it may do."""
        store, fresh, bulk, changes = self.store, self.fresh, self.bulk, self.changes
        control, data, raw = store.control_may, store.data_may, store.raw_may
        own = (store.key_may("Decrypt", "GenerateDataKey"), store.read_secret)
        look, drop, either = store.key_may("Decrypt"), raw("inbox", "PutObject"), (fresh.send, bulk.send)
        work = (
            *(*own, control(*READ, *WRITE), store.read_ring, data(*READ, *WRITE), *either, changes.send),
            *(raw("raw", "GetObject", "PutObject"), raw("inbox", "GetObject", "PutObject", "DeleteObject")),
            *(store.list_raw, store.events_may("CreateLogStream", "PutLogEvents", "DeleteLogStream")),
        )
        swept = (queue.sort_dead for queue in (fresh, bulk, self.exports, self.imports))
        kept = (raw(exports.PREFIX, "DeleteObject"), raw(imports.PREFIX, "DeleteObject"), *swept)
        place = (raw(imports.PREFIX, "GetObject", "PutObject"), store.list_raw, self.imports.send)
        split = (raw(imports.PREFIX, "GetObject", "DeleteObject"), *place[1:], self.imports.consume)
        write = (raw(exports.PREFIX, "PutObject", "DeleteObject"), self.exports.consume)
        walk = (own[0], control("GetItem", "UpdateItem"), self.segments.send, self.segments.consume)
        plan: dict[str, tuple[int, int, tuple[Grant, ...]]] = {
            "connect": (256, DOOR_S, (*own, control(*EDIT), data("GetItem", "UpdateItem"))),
            "callback": (512, DOOR_S, (*own, control(*EDIT, "ConditionCheckItem"), data(*MERGE), *either)),
            "webhook": (256, 10, (*own, control("GetItem", "PutItem", "Query"), drop, fresh.send)),
            "upload": (512, DOOR_S, (*own, control(*EDIT), data(*MERGE), drop, fresh.send, *place)),
            "push": (512, DOOR_S, (*own, control(*MERGE), data("GetItem", "UpdateItem"), drop, *either)),
            "sync": (256, 10, (*own, control(*MERGE), data("GetItem", "Query"), *either)),
            "export": (256, 10, (own[0], control("PutItem"), self.exports.send)),
            "api": (512, 15, (look, control(*READ), data("Query"), raw(exports.PREFIX, "GetObject"))),
            "events": (256, 10, (look, store.events_may("GetLogEvents"))),
            "readings": (512, 15, (look, data("GetItem", "Query"))),
            "periods": (512, 15, (look, data("GetItem", "Query"))),
            "poll": (256, POLL_TIMEOUT_S, (*walk, store.read_ring, *either)),
            "profile": (256, 10, (own[0], control(*READ, "UpdateItem"), data("GetItem", "UpdateItem"))),
            "disconnect": (256, 10, (own[0], control(*MERGE), fresh.send)),
            "erase": (256, 10, (own[0], control("PutItem"), fresh.send)),
            "worker": (512, self.settings.worker_timeout_s, (*work, *kept, fresh.consume)),
            "worker-bulk": (512, self.settings.worker_timeout_s, (*work, bulk.consume)),
            "exporter": (1769, EXPORT_TIMEOUT_S, (own[0], control(*MERGE), data(*READ), *write)),
            "importer": (1769, IMPORT_TIMEOUT_S, (own[0], control(*MERGE), drop, bulk.send, *split)),
        }
        environment, bundles = self._environment(), code(self, self.settings.wheels)
        return {
            name: Function(
                self,
                name,
                memory_mb=memory_mb,
                timeout_s=timeout_s,
                may=may,
                environment=environment,
                code=bundles[folder(name)],
                key=store.key,
                settings=self.settings,
            )
            for name, (memory_mb, timeout_s, may) in plan.items()
        }

    def _environment(self) -> dict[str, str]:
        bundled = {"AWS_CA_BUNDLE": f"/var/task/{AUTHORITIES}"} if self.settings.wheels else {}
        return {
            **bundled,
            "DATA_TABLE": self.store.data.table_name,
            "CONTROL_TABLE": self.store.control.table_name,
            "RAW_BUCKET": self.store.raw.bucket_name,
            "VAULT_KEY": self.store.key.key_arn,
            "APP_SECRET": self.store.secret.secret_arn,
            "FRESH_QUEUE": self.fresh.queue_url,
            "BULK_QUEUE": self.bulk.queue_url,
            "SEGMENTS_QUEUE": self.segments.queue_url,
            "EXPORTS_QUEUE": self.exports.queue_url,
            "IMPORTS_QUEUE": self.imports.queue_url,
            "CHANGES_QUEUE": self.changes.queue_url,
            "EVENTS_LOG": self.store.events.log_group_name,
            "PUBLIC_URL": self.api.public_url,
            "RETURN_ORIGINS": ",".join(self.settings.origins),
            "DEAD_LETTER_QUEUES": ",".join(
                q.dead.queue_url for q in (self.fresh, self.bulk, self.exports, self.imports)
            ),
            "LONGEST_JOB_S": str(max(self.settings.worker_timeout_s, DOOR_S) + CLOCKS_S),
            "BACKUP_DAYS": str(self.settings.backup_days),
            "RAW_DAYS": str(self.settings.raw_retention_days),
            "BACKFILL_DAYS": str(self.settings.backfill_days),
            "KEEP_CONSENT_PROOF": str(self.settings.keep_consent_proof).lower(),
            "RING_SHARDS": str(self.settings.ring_shards),
            "METRICS_NAMESPACE": self.settings.stack_name,
        }

    def _feed_workers(self) -> None:
        # A bulk message is a fortnight of everything: ten of them together outlive their worker.
        for queue, worker, batch_size in ((self.fresh, "worker", TOGETHER), (self.bulk, "worker-bulk", 1)):
            self.functions[worker].add_event_source_mapping(
                "Jobs",
                event_source_arn=queue.queue_arn,
                batch_size=batch_size,
                max_batching_window=Duration.seconds(1),
                max_concurrency=self.settings.worker_concurrency or None,
                report_batch_item_failures=True,
            )

    def _feed_one_by_one(self) -> None:
        """A segment is a page of people, an export all of a person, an import a file: none waits for the one before."""
        self.functions["poll"].add_event_source_mapping(
            "Segments", event_source_arn=self.segments.queue_arn, batch_size=1
        )
        self.functions["exporter"].add_event_source_mapping(
            "Exports", event_source_arn=self.exports.queue_arn, batch_size=1, report_batch_item_failures=True
        )
        self.functions["importer"].add_event_source_mapping(
            "Imports", event_source_arn=self.imports.queue_arn, batch_size=1, report_batch_item_failures=True
        )

    def _tick(self) -> None:
        """A lost tick is not retried: the next one starts from the same watermark."""
        poll, minute = self.functions["poll"], Duration.minutes(1)
        poll.configure_async_invoke(retry_attempts=0, max_event_age=minute)
        target = targets.LambdaFunction(poll, retry_attempts=0, max_event_age=minute)
        events.Rule(self, "EveryMinute", schedule=events.Schedule.rate(minute), targets=[target])

    def _outputs(self) -> None:
        outputs = {
            "ApiUrl": self.api.api_endpoint,
            "PublicUrl": self.api.public_url,
            "DataTable": self.store.data.table_name,
            "ControlTable": self.store.control.table_name,
            "RawBucket": self.store.raw.bucket_name,
            "VaultKey": self.store.key.key_arn,
            "AppSecret": self.store.secret.secret_arn,
            "EventsLog": self.store.events.log_group_name,
            "WebhookLog": self.functions["webhook"].log_group.log_group_name,
            "PollFunction": self.functions["poll"].function_name,
            "WorkerFunction": self.functions["worker"].function_name,
        }
        queues = {
            "Fresh": self.fresh,
            "Bulk": self.bulk,
            "Segments": self.segments,
            "Exports": self.exports,
            "Imports": self.imports,
            "Changes": self.changes,
        }
        for name, queue in queues.items():
            outputs |= {f"{name}Queue": queue.queue_url, f"{name}Dlq": queue.dead.queue_url}
        if self.pool:
            outputs |= {
                "UserPoolId": self.pool.user_pool_id,
                "UserClientId": self.pool.browser.user_pool_client_id,
                "MachineClientId": self.pool.machine.user_pool_client_id,
            }
        if self.api.domain:
            outputs["DomainTarget"] = self.api.domain.regional_domain_name
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
