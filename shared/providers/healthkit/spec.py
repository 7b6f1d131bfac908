"""HealthKit, by way of the person's phone: https://developer.apple.com/documentation/healthkit"""

from shared.providers.healthkit import archive, mapping
from shared.providers.healthkit.mapping import CUFF, EXERCISE, OTHERS, TABLES
from shared.providers.pushing import health_store

PROVIDER = health_store(
    id="healthkit",
    name="HealthKit",
    docs="https://developer.apple.com/documentation/healthkit",
    tables=TABLES,
    cuff=CUFF,
    exercise=EXERCISE,
    others=OTHERS,
    document=mapping.document,
    sleep=mapping.sleep,
    activity=mapping.activity,
    archives={"application/zip": archive.parts},
)
