"""The catalogue's own sense, and that it holds what was promised."""

import re

import pytest

from shared.catalogue import METRICS, Metric

PROMISED = """
steps distance calories_burned active_calories active_minutes floors vo2_max heart_rate resting_heart_rate
heart_rate_variability heart_rate_variability_sdnn blood_pressure_systolic blood_pressure_diastolic spo2
respiratory_rate sleep_duration sleep_score rem_sleep deep_sleep light_sleep awake sleep_efficiency sleep_latency
glucose ketone weight body_fat bmi lean_mass body_temperature temperature_deviation readiness_score strain_score
recovery_score stress hba1c
"""


def test_every_promised_metric_is_there() -> None:
    assert set(PROMISED.split()) - METRICS.keys() == set()


@pytest.mark.parametrize(("name", "metric"), METRICS.items(), ids=METRICS)
def test_an_entry_makes_sense(name: str, metric: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert metric.unit
    assert metric.reject.low <= metric.flag.low < metric.flag.high <= metric.reject.high
    assert len(set(metric.prefer)) == len(metric.prefer)
    assert not metric.loinc or check_digit(metric.loinc)


def check_digit(code: str) -> bool:
    """LOINC codes end in a Luhn (mod 10) digit."""
    number, _, check = code.partition("-")
    doubled = [int(d) * (2 - n % 2) for n, d in enumerate(reversed(number))]
    return (10 - sum(d // 10 + d % 10 for d in doubled) % 10) % 10 == int(check)


def test_loinc_codes_are_not_shared() -> None:
    codes = [m.loinc for m in METRICS.values() if m.loinc]
    assert len(set(codes)) == len(codes)


def test_ranges_include_their_ends() -> None:
    bounds = METRICS["glucose"].flag
    assert [bounds.holds(v) for v in (19.99, 20, 600, 600.01)] == [False, True, True, False]
