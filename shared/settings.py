"""What a function is told by its environment. Read when first asked for, never at import."""

from __future__ import annotations

import os
from functools import cache

from shared.values import dataclass

BACKFILL_DAYS = 90


@dataclass(frozen=True)
class Settings:
    data_table: str
    control_table: str
    raw_bucket: str
    vault_key: str
    app_secret: str
    fresh_queue: str
    bulk_queue: str
    segments_queue: str
    exports_queue: str
    imports_queue: str
    changes_queue: str
    events_log: str
    public_url: str
    return_origins: tuple[str, ...]
    dead_letter_queues: tuple[str, ...]
    longest_job_s: int
    """After this long, nothing that was running when it began still is."""
    backup_days: int
    raw_days: int
    backfill_days: int
    keep_consent_proof: bool
    ring_shards: int
    metrics_namespace: str


@cache
def settings() -> Settings:
    env = os.environ
    return Settings(
        data_table=env["DATA_TABLE"],
        control_table=env["CONTROL_TABLE"],
        raw_bucket=env["RAW_BUCKET"],
        vault_key=env["VAULT_KEY"],
        app_secret=env["APP_SECRET"],
        fresh_queue=env["FRESH_QUEUE"],
        bulk_queue=env["BULK_QUEUE"],
        segments_queue=env["SEGMENTS_QUEUE"],
        exports_queue=env["EXPORTS_QUEUE"],
        imports_queue=env["IMPORTS_QUEUE"],
        changes_queue=env["CHANGES_QUEUE"],
        events_log=env["EVENTS_LOG"],
        public_url=env["PUBLIC_URL"].rstrip("/"),
        return_origins=tuple(filter(None, env.get("RETURN_ORIGINS", "").split(","))),
        dead_letter_queues=tuple(filter(None, env.get("DEAD_LETTER_QUEUES", "").split(","))),
        longest_job_s=int(env["LONGEST_JOB_S"]),
        backup_days=int(env["BACKUP_DAYS"]),
        raw_days=int(env["RAW_DAYS"]),
        backfill_days=int(env.get("BACKFILL_DAYS", BACKFILL_DAYS)),
        keep_consent_proof=env.get("KEEP_CONSENT_PROOF") == "true",
        ring_shards=int(env.get("RING_SHARDS", "1")),
        metrics_namespace=env.get("METRICS_NAMESPACE", "Tributary"),
    )
