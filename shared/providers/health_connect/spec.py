"""Health Connect, by way of the person's phone: https://developer.android.com/health-and-fitness/health-connect"""

from shared.providers.health_connect import mapping
from shared.providers.health_connect.mapping import ACTIVITY, BODY, CUFF, HEART_RATE, SUGAR, VITALS
from shared.providers.pushing import health_store

PROVIDER = health_store(
    id="health_connect",
    name="Health Connect",
    docs="https://developer.android.com/health-and-fitness/health-connect",
    tables={"activity": ACTIVITY, "heart_rate": HEART_RATE, "vitals": VITALS, "glucose": SUGAR, "body": BODY},
    cuff=CUFF,
    others={mapping.PRESSURES: "vitals", mapping.SLEEP: "sleep", mapping.WORKOUT: "workouts"},
    values=mapping.values,
    vitals=mapping.vitals,
    sleep=mapping.sleep,
    workouts=mapping.workouts,
)
