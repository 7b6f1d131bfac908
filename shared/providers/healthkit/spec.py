"""HealthKit, by way of the person's phone: https://developer.apple.com/documentation/healthkit"""

from shared.providers.healthkit import mapping
from shared.providers.healthkit.mapping import ACTIVITY, BODY, CUFF, HEART_RATE, SUGAR, VITALS
from shared.providers.pushing import health_store

PROVIDER = health_store(
    id="healthkit",
    name="HealthKit",
    docs="https://developer.apple.com/documentation/healthkit",
    tables={"activity": ACTIVITY, "heart_rate": HEART_RATE, "vitals": VITALS, "glucose": SUGAR, "body": BODY},
    cuff=CUFF,
    types={mapping.PRESSURES: "vitals", mapping.SLEEP: "sleep", mapping.WORKOUT: "workouts"},
    values=mapping.values,
    vitals=mapping.vitals,
    sleep=mapping.sleep,
    workouts=mapping.workouts,
)
