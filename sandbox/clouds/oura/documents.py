"""The life in Oura's words: one function per collection, each giving the documents of one `day`."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from sandbox.life import MINUTE, Minute, Person, clock_time
from sandbox.sleep import AWAKE, DEEP, LIGHT, REM, STEP, Sleep
from sandbox.world import SYNC_DELAY, World, local_iso, utc_iso

Document = dict[str, Any]


def identity(world: World, person: Person, collection: str, day: date, extra: object = "") -> str:
    return world.identify("oura", person.name, collection, day, extra)


def _document(world: World, person: Person, collection: str, day: date, modified: int, extra: object = "") -> Document:
    # spec 1.29 has `meta`; it is what orders late corrections
    version = 2 if collection == "daily_activity" and (person.name, day) in world.corrected else 1
    return {
        "id": identity(world, person, collection, day, extra),
        "day": day.isoformat(),
        "meta": {"updated_at": utc_iso(modified, millis=True), "version": version},
    }


def _label(day: date) -> str:
    """`timestamp` of a daily document: a label, not a measuring time."""
    return f"{day}T00:00:00+00:00"


def _between(low: float, value: float, high: float) -> int:
    return round(min(high, max(low, value)))


# --- sleep


def sleep(world: World, person: Person, day: date) -> list[Document]:
    shown = [s for s in world.sleeps(person, day) if not world.is_deleted("oura", person, s.kind, day)]
    return [_sleep(world, person, day, period, s) for period, s in enumerate(shown)]


def _sleep(world: World, person: Person, day: date, period: int, lived: Sleep) -> Document:
    begun, in_bed = local_iso(person, lived.start), lived.end - lived.start
    five_minutes = "".join(_majority(lived.stages[i : i + 10]) for i in range(0, len(lived.stages), 10))
    night = lived.kind == "night"
    return {
        **_document(world, person, "sleep", day, world.sleep_modified(person, day, lived), lived.kind),
        "type": "long_sleep" if night else "late_nap",
        "period": period,
        "bedtime_start": begun,
        "bedtime_end": local_iso(person, lived.end),
        "time_in_bed": in_bed,
        "total_sleep_duration": lived.asleep,
        "awake_time": lived.seconds(AWAKE),
        "deep_sleep_duration": lived.seconds(DEEP),
        "light_sleep_duration": lived.seconds(LIGHT),
        "rem_sleep_duration": lived.seconds(REM),
        "latency": lived.latency,
        "efficiency": round(100 * lived.asleep / in_bed),
        "restless_periods": lived.stages.count(AWAKE) * 2,
        "average_heart_rate": round(lived.mean_heart, 2),
        "lowest_heart_rate": lived.lowest,
        "average_hrv": lived.mean_hrv,
        "average_breath": lived.breaths,
        "heart_rate": {"interval": STEP, "items": list(lived.heart), "timestamp": begun},
        "hrv": {"interval": STEP, "items": list(lived.hrv), "timestamp": begun},
        "sleep_phase_5_min": five_minutes,
        "sleep_phase_30_sec": lived.stages,
        "movement_30_sec": "".join("3" if stage == AWAKE else "1" for stage in lived.stages),
        "app_sleep_phase_5_min": five_minutes,
        "sleep_score_delta": 0,
        "readiness_score_delta": 0,
        "low_battery_alert": False,
        "sleep_algorithm_version": "v2",
        "sleep_analysis_reason": "foreground_sleep_analysis",
        "ring_id": f"ring-{person.name}",
        "readiness": _readiness(world, person, day) if night else None,
    }


def _majority(stages: str) -> str:
    return max(sorted(set(stages)), key=stages.count)


def _night(world: World, person: Person, day: date) -> Sleep | None:
    shown = world.sleeps(person, day)
    return shown[0] if shown and shown[0].kind == "night" else None


def daily_sleep(world: World, person: Person, day: date) -> list[Document]:
    night = _night(world, person, day)
    if night is None:
        return []
    hours = night.asleep / 3600
    return [
        {
            **_document(world, person, "daily_sleep", day, world.sleep_modified(person, day, night)),
            "timestamp": _label(day),
            "score": _between(30, 80 + 7 * (hours - 7), 99),
            "contributors": {
                "deep_sleep": _between(1, night.seconds(DEEP) / 60, 99),
                "efficiency": _between(1, 100 * night.asleep / (night.end - night.start), 99),
                "latency": _between(1, 100 - night.latency / 30, 99),
                "rem_sleep": _between(1, night.seconds(REM) / 70, 99),
                "restfulness": 75,
                "timing": 92,
                "total_sleep": _between(1, hours * 12, 99),
            },
        }
    ]


def _readiness(world: World, person: Person, day: date) -> Document:
    over = person.resting - world.life.resting(person, day)
    deviation = world.life.vitals(person, day).temperature_deviation
    return {
        "score": _between(30, 80 + 2 * over - 20 * abs(deviation), 99),
        "temperature_deviation": deviation,
        "temperature_trend_deviation": round(deviation / 2, 2),
        "contributors": {
            "body_temperature": _between(1, 100 - 60 * abs(deviation), 99),
            "hrv_balance": 76,
            # a 0–100 score, never a pulse
            "resting_heart_rate": _between(1, 85 + 4 * over, 99),
            "sleep_balance": 77,
        },
    }


def daily_readiness(world: World, person: Person, day: date) -> list[Document]:
    night = _night(world, person, day)
    if night is None:
        return []
    document = _document(world, person, "daily_readiness", day, world.sleep_modified(person, day, night))
    return [{**document, "timestamp": _label(day), **_readiness(world, person, day)}]


def daily_spo2(world: World, person: Person, day: date) -> list[Document]:
    night, vitals = _night(world, person, day), world.life.vitals(person, day)
    if night is None:
        return []
    return [
        {
            **_document(world, person, "daily_spo2", day, world.sleep_modified(person, day, night)),
            "spo2_percentage": {"average": vitals.spo2},
            "breathing_disturbance_index": vitals.breathing_disturbance,
        }
    ]


# --- the day awake


def daily_activity(world: World, person: Person, day: date) -> list[Document]:
    opened = clock_time(person, day, 4)  # the Oura day runs 04:00 → 03:59; here its document is there from midnight
    lived, total = _mets(world, person, day, opened), world.activity(person, day)
    begun = local_iso(person, opened)
    return [
        {
            **_document(world, person, "daily_activity", day, world.activity_modified(person, day)),
            "timestamp": begun,
            "score": _between(20, 60 + total.steps / 300, 99),
            "steps": total.steps,
            "active_calories": round(total.active_kcal),
            "total_calories": round(total.total_kcal),
            "target_calories": 450,
            "equivalent_walking_distance": round(total.distance),
            "target_meters": 8000,
            "meters_to_target": 8000 - round(total.distance),
            "high_activity_time": total.high,
            "medium_activity_time": total.medium,
            "low_activity_time": total.low,
            "sedentary_time": total.sedentary,
            "resting_time": total.resting,
            "non_wear_time": 0,
            "high_activity_met_minutes": total.high // 60 * 7,
            "medium_activity_met_minutes": total.medium // 60 * 4,
            "low_activity_met_minutes": total.low // 60 * 2,
            "sedentary_met_minutes": 11,
            "average_met_minutes": round(sum(lived) / max(1, len(lived)), 2),
            "inactivity_alerts": 1,
            "class_5_min": "".join(_class(lived[i]) for i in range(0, len(lived), 5)),
            "met": {"interval": MINUTE, "items": lived, "timestamp": begun},
            "contributors": {"meet_daily_targets": 80, "move_every_hour": 95, "stay_active": 71},
        }
    ]


def _mets(world: World, person: Person, day: date, opened: int) -> list[float]:
    minutes: list[Minute] = world.minutes(person, day) + world.minutes(person, day + timedelta(days=1))
    closed = clock_time(person, day + timedelta(days=1), 4)
    return [minute.met for minute in minutes if opened <= minute.at < closed]


def _class(met: float) -> str:
    return str(1 + sum(met >= threshold for threshold in (1.0, 1.5, 3.3, 6)))


def daily_stress(world: World, person: Person, day: date) -> list[Document]:
    if day == world.today(person):
        return []
    vitals = world.life.vitals(person, day)
    balance = vitals.recovery_high - vitals.stress_high
    return [
        {
            **_document(world, person, "daily_stress", day, world.activity_modified(person, day)),
            "stress_high": vitals.stress_high,
            "recovery_high": vitals.recovery_high,
            "day_summary": "restored" if balance > 1800 else "stressful" if balance < -3600 else "normal",
        }
    ]


def vo2_max(world: World, person: Person, day: date) -> list[Document]:
    measured, at = world.life.vitals(person, day).vo2_max, clock_time(person, day, 9)
    if measured is None or at > world.now():
        return []
    document = _document(world, person, "vO2_max", day, at + SYNC_DELAY)
    return [{**document, "timestamp": local_iso(person, at), "vo2_max": measured}]


def workout(world: World, person: Person, day: date) -> list[Document]:
    done = world.workout(person, day)
    if done is None or world.is_deleted("oura", person, "workout", day):
        return []
    return [
        {
            **_document(world, person, "workout", day, done.end + SYNC_DELAY),
            "activity": done.activity,
            "intensity": "moderate",
            "source": "confirmed",
            "label": None,
            "calories": done.kcal,
            "distance": done.distance,
            "start_datetime": local_iso(person, done.start),
            "end_datetime": local_iso(person, done.end),
        }
    ]


# path segment (mind the capital in vO2_max) → how to make a day's documents
COLLECTIONS: dict[str, Callable[[World, Person, date], list[Document]]] = {
    "daily_activity": daily_activity,
    "daily_sleep": daily_sleep,
    "daily_readiness": daily_readiness,
    "daily_spo2": daily_spo2,
    "daily_stress": daily_stress,
    "vO2_max": vo2_max,
    "sleep": sleep,
    "workout": workout,
}
