"""The life in Rook's words: types and units in the names, UTC to the microsecond, nulls for what it has not."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sandbox.life import Person, midnight
from sandbox.sleep import AWAKE, DEEP, LIGHT, REM, STEP
from sandbox.world import World, local_day

Record = dict[str, Any]
Tell = Callable[[World, Person, date], Iterator[Record]]


def moment(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _metadata(written: str, source: str) -> Record:
    return {"datetime_string": written, "user_id_string": None, "sources_of_data_array": [source]}


def _of_day(day: date, source: str) -> Record:
    """A summary is of a date, whatever the zone."""
    return _metadata(f"{day}T00:00:00.000000Z", source)


def _beats(found: Iterator[tuple[int, int]]) -> list[Record]:
    return [{"datetime_string": moment(at), "hr_bpm_int": bpm} for at, bpm in found]


# --- a watch


def physical(world: World, person: Person, day: date) -> Iterator[Record]:
    lived, first = world.activity(person, day), midnight(person, day)
    heard = world.heart(person, first, midnight(person, day + timedelta(days=1)))
    yield {
        "metadata": _of_day(day, "Garmin"),
        "activity": {"active_seconds_int": lived.low + lived.medium + lived.high, "rest_seconds_int": lived.resting},
        "distance": {
            "steps_int": lived.steps,
            "traveled_distance_meters_float": lived.distance,
            "floors_climbed_float": None,
            "steps_granular_data_array": [],
        },
        "calories": {
            "calories_expenditure_kcal_float": lived.total_kcal,
            "calories_net_active_kcal_float": lived.active_kcal,
            "calories_net_intake_kcal_float": None,
        },
        "heart_rate": {
            "hr_resting_bpm_int": world.life.resting(person, day),
            "hrv_avg_rmssd_float": None,
            "hr_granular_data_array": _beats((at, bpm) for at, bpm, doing in heard if doing != "workout"),
        },
        "oxygenation": {"saturation_avg_percentage_int": None, "vo2max_mL_per_min_per_kg_int": None},
        "stress": {"stress_avg_level_int": None, "stress_granular_data_array": []},
        "non_structured_data_array": [{"steps": lived.steps}],
    }


def sleep(world: World, person: Person, day: date) -> Iterator[Record]:
    """One for a date: the night."""
    for lived in (sleep for sleep in world.sleeps(person, day) if sleep.kind == "night"):
        yield {
            "metadata": _metadata(moment(lived.end), "Garmin"),
            "duration": {
                "sleep_start_datetime_string": moment(lived.start),
                "sleep_end_datetime_string": moment(lived.end),
                "sleep_date_string": f"{day}",
                "sleep_duration_seconds_int": lived.asleep,
                "time_in_bed_seconds_int": lived.end - lived.start,
                "light_sleep_duration_seconds_int": lived.seconds(LIGHT),
                "rem_sleep_duration_seconds_int": lived.seconds(REM),
                "deep_sleep_duration_seconds_int": lived.seconds(DEEP),
                "time_to_fall_asleep_seconds_int": lived.latency,
                "time_awake_during_sleep_seconds_int": lived.seconds(AWAKE),
            },
            "scores": {
                "sleep_quality_rating_1_5_score_int": None,
                "sleep_efficiency_1_100_score_int": round(100 * lived.asleep / (lived.end - lived.start)),
            },
            "heart_rate": {
                "hr_avg_bpm_int": round(lived.mean_heart),
                "hr_minimum_bpm_int": lived.lowest,
                "hrv_avg_rmssd_float": float(lived.mean_hrv),
                "hrv_avg_sdnn_float": None,
                "hr_granular_data_array": _beats(
                    (lived.start + STEP * n, bpm) for n, bpm in enumerate(lived.heart) if bpm is not None
                ),
            },
            "temperature": {"temperature_avg_object": None, "temperature_delta_object": None},
            "breathing": {"breaths_avg_per_min_int": round(lived.breaths), "saturation_avg_percentage_int": None},
            "non_structured_data_array": [],
        }


def activity(world: World, person: Person, day: date) -> Iterator[Record]:
    done = world.workout(person, day)
    if done:
        beats = ((m.at, m.heart) for m in world.minutes(person, day) if done.start <= m.at < done.end)
        yield {
            "metadata": {
                **_metadata(moment(done.start), "Garmin"),
                "was_the_user_under_physical_activity_bool": True,
            },
            "activity": {
                "activity_start_datetime_string": moment(done.start),
                "activity_end_datetime_string": moment(done.end),
                "activity_duration_seconds_int": done.end - done.start,
                "activity_type_name_string": done.activity.title(),
                "activity_strain_level_float": None,
            },
            "calories": {"calories_net_active_kcal_float": done.kcal, "calories_expenditure_kcal_float": None},
            "distance": {"traveled_distance_meters_float": done.distance, "steps_int": None},
            "heart_rate": {"hr_avg_bpm_int": None, "hr_granular_data_array": _beats(beats)},
            "non_structured_data_array": [],
        }


# --- a scale, a sensor


def weighings(world: World, person: Person, day: date) -> Iterator[Record]:
    for weighing in (w for w in world.weighings(person) if local_day(person, w.at) == day):
        figures = {"weight_kg_float": weighing.kg, "height_cm_int": None, "bmi_float": None}
        yield {"metadata": _metadata(moment(weighing.at), "Withings"), "body_metrics": figures}


def body(world: World, person: Person, day: date) -> Iterator[Record]:
    kg = world.weight(person, day)
    if kg is not None:
        figures = {"weight_kg_float": kg, "height_cm_int": round(100 * person.height), "bmi_float": None}
        yield {
            "metadata": _of_day(day, "Withings"),
            "body_metrics": figures,
            "blood_pressure": {"blood_pressure_avg_object": None, "blood_pressure_granular_data_array": []},
            "non_structured_data_array": [],
        }


def glucose(world: World, person: Person, day: date) -> Iterator[Record]:
    """The readings of the day so far, every five minutes."""
    first = midnight(person, day)
    found = world.glucose(person, first, midnight(person, day + timedelta(days=1)))
    if found:
        yield {
            "metadata": {**_metadata(moment(first), "Dexcom"), "was_the_user_under_physical_activity_bool": False},
            "blood_glucose": {
                "blood_glucose_avg_mg_per_dL_int": round(sum(value for _, value in found) / len(found)),
                "blood_glucose_granular_data_array": [
                    {"datetime_string": moment(at), "blood_glucose_mg_per_dL_int": value} for at, value in found
                ],
            },
        }


STRUCTURES = {
    "physical_health/summary": "physical_summary",
    "physical_health/events/activity": "activity_event",
    "physical_health/events/heart_rate": "heart_rate_event",
    "physical_health/events/oxygenation": "oxygenation_event",
    "physical_health/events/stress": "stress_event",
    "sleep_health/summary": "sleep_summary",
    "body_health/summary": "body_summary",
    "body_health/events/blood_glucose": "blood_glucose_event",
    "body_health/events/blood_pressure": "blood_pressure_event",
    "body_health/events/body_metrics": "body_metrics_event",
    "body_health/events/heart_rate": "heart_rate_event",
    "body_health/events/hydration": "hydration_event",
    "body_health/events/mood": "mood_event",
    "body_health/events/nutrition": "nutrition_event",
    "body_health/events/oxygenation": "oxygenation_event",
    "body_health/events/temperature": "temperature_event",
}
TOLD: dict[str, dict[str, Tell]] = {
    "Garmin": {
        "physical_health/summary": physical,
        "physical_health/events/activity": activity,
        "sleep_health/summary": sleep,
    },
    "Withings": {"body_health/summary": body, "body_health/events/body_metrics": weighings},
    "Dexcom": {"body_health/events/blood_glucose": glucose},
}
"""By source, in the order of Rook's own preference, what it tells at which address."""
