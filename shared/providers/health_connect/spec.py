"""Health Connect, by way of the person's phone: https://developer.android.com/health-and-fitness/health-connect"""

from shared.providers.health_connect import mapping
from shared.providers.health_connect.mapping import ACTIVITY, BODY, CUFF, EXERCISE, HEART_RATE, SUGAR, VITALS
from shared.providers.pushing import health_store

PROVIDER = health_store(
    id="health_connect",
    name="Health Connect",
    docs="https://developer.android.com/health-and-fitness/health-connect",
    tables={"activity": ACTIVITY, "heart_rate": HEART_RATE, "vitals": VITALS, "glucose": SUGAR, "body": BODY},
    cuff=CUFF,
    exercise=EXERCISE,
    others={mapping.PRESSURES: "vitals", mapping.SLEEP: "sleep", mapping.WORKOUT: "workouts"},
    document=mapping.document,
    sleep=mapping.sleep,
    activity=mapping.activity,
)
