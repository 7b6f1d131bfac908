"""HealthKit, by way of the person's phone: https://developer.apple.com/documentation/healthkit"""

from shared.providers import PhonePush, Provider, Resource
from shared.providers.healthkit import mapping
from shared.providers.healthkit.mapping import ACTIVITY, BODY, CUFF, HEART_RATE, SUGAR, VITALS
from shared.providers.pushing import resource
from shared.providers.quantities import metrics
from shared.providers.stages import NIGHT

TABLES = {"activity": ACTIVITY, "heart_rate": HEART_RATE, "vitals": VITALS, "glucose": SUGAR, "body": BODY}


def values(name: str) -> Resource:
    table = TABLES[name]
    return resource(name, mapping.values(name, table), table, series=metrics(table))


PROVIDER = Provider(
    id="healthkit",
    name="HealthKit",
    docs="https://developer.apple.com/documentation/healthkit",
    kind="phone",
    base_url="",
    auth=PhonePush(
        {type: name for name, table in TABLES.items() for type in table}
        | {mapping.PRESSURES: "vitals", mapping.SLEEP: "sleep", mapping.WORKOUT: "workouts"}
    ),
    resources=(
        values("activity"),
        values("heart_rate"),
        resource("vitals", mapping.vitals, VITALS, CUFF),
        values("glucose"),
        values("body"),
        resource("sleep", mapping.sleep, totals=NIGHT),
        resource("workouts", mapping.workouts),
    ),
    timer_polling=False,
)
