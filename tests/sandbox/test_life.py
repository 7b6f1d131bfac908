import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from sandbox.life import PEOPLE, Life, midnight
from sandbox.world import World

ADA, BEN = PEOPLE["ada"], PEOPLE["ben"]
DAY = date(2026, 11, 12)


def everything(life: Life, person, day) -> tuple:
    facts = (life.sleeps, life.minutes, life.glucose, life.meals, life.workout, life.weighing, life.vitals)
    return tuple(fact(person, day) for fact in facts)


def test_the_same_seed_is_the_same_life_in_any_order(now):
    forwards, backwards = Life(7, now), Life(7, now)
    days = [DAY + timedelta(days=n) for n in range(4)]
    first = [everything(forwards, ADA, day) for day in days]
    assert first == [everything(backwards, ADA, day) for day in reversed(days)][::-1]


def test_another_seed_person_or_day_is_another_life(now):
    life = Life(7, now)
    one = everything(life, ADA, DAY)
    assert one != everything(Life(8, now), ADA, DAY)
    assert one != everything(life, BEN, DAY)
    assert one != everything(life, ADA, DAY + timedelta(days=1))


def test_a_night_has_all_stages_in_plausible_shares(life):
    nights = [life.sleeps(ADA, DAY - timedelta(days=n))[0] for n in range(60)]
    for stage, low, high in (("1", 0.10, 0.28), ("2", 0.40, 0.70), ("3", 0.12, 0.35)):
        share = sum(night.seconds(stage) for night in nights) / sum(night.asleep for night in nights)
        assert low < share < high, stage
    assert all(5.5 < night.asleep / 3600 < 9.5 for night in nights)
    assert all(len(night.heart) * 10 == len(night.stages) for night in nights)


def test_the_lowest_heart_rate_of_the_night_is_the_resting_one(life):
    for n in range(30):
        day = DAY - timedelta(days=n)
        assert life.sleeps(ADA, day)[0].lowest == life.resting(ADA, day)


def test_some_days_have_naps_workouts_clamped_glucose_and_no_weighing(life):
    days = [DAY - timedelta(days=n) for n in range(90)]
    assert 5 < sum(len(life.sleeps(ADA, day)) > 1 for day in days) < 40
    assert 15 < sum(life.workout(ADA, day) is not None for day in days) < 60
    assert 5 < sum(life.weighing(ADA, day) is None for day in days) < 40
    values = [value for day in days for _, value in life.glucose(ADA, day)]
    assert 0 < sum(value < 40 for value in values) < 100
    assert 0 < sum(value > 400 for value in values) < 300


@pytest.mark.parametrize(
    ("person", "day", "hours"),
    [(ADA, date(2026, 10, 25), 25), (BEN, date(2026, 11, 1), 25), (ADA, date(2026, 11, 2), 24)],
)
def test_the_day_the_clock_changes_is_longer(life, person, day, hours):
    assert len(life.minutes(person, day)) == hours * 60
    assert len(life.glucose(person, day)) == hours * 12
    assert midnight(person, day + timedelta(days=1)) - midnight(person, day) == hours * 3600


def test_sleeps_of_neighbouring_days_never_overlap(life):
    for person in (ADA, BEN):
        days = [date(2026, 11, 21) - timedelta(days=n) for n in range(100)]
        sleeps = sorted((s for day in days for s in life.sleeps(person, day)), key=lambda sleep: sleep.start)
        assert all(a.end <= b.start for a, b in itertools.pairwise(sleeps))


@pytest.mark.parametrize("hour", [0, 4, 10, 23])
def test_nothing_lies_in_the_future(hour):
    now = datetime(2026, 11, 21, hour, 1, tzinfo=UTC)
    world, moment = World(Life(7, now), frozen=True), int(now.timestamp())
    for person in PEOPLE.values():
        today = world.today(person)
        world.reveal(person, today)
        assert world.night_visible(person, today), "tonight can be revealed at any hour"
        assert world.sleeps(person, today)[0].end <= moment
        week = moment - 7 * 86_400
        assert max(at for at, _, _ in world.heart(person, week, moment + 86_400)) <= moment
        assert max(at for at, _ in world.glucose(person, week, moment + 86_400)) <= moment
        assert max(weighing.at for weighing in world.weighings(person)) <= moment
        assert all(minute.at < moment for minute in world.minutes(person, today))
        assert list(world.days(person))[-1] == today


def test_held_back_nights_are_those_of_yesterday_and_today(world):
    today = world.today(ADA)
    hidden = [day for day in world.days(ADA) if not world.night_visible(ADA, day)]
    assert hidden == [today - timedelta(days=1), today]
    assert all(world.sleeps(ADA, day) == [] for day in hidden)
    world.reveal(ADA, today)
    assert not world.night_visible(ADA, today - timedelta(days=1))
    assert world.night_visible(ADA, today)


def test_a_held_back_night_has_no_heart_rate_either(world):
    night = world.life.sleeps(ADA, world.today(ADA))[0]
    assert list(world.heart(ADA, night.start, night.end)) == []
    world.reveal(ADA, world.today(ADA))
    assert {source for _, _, source in world.heart(ADA, night.start, night.end)} == {"sleep"}


@pytest.mark.parametrize("total", [1, 4321, 60_000])
def test_corrected_steps_add_up_exactly(world, total):
    world.correct_steps(ADA, DAY, total)
    assert world.activity(ADA, DAY).steps == sum(minute.steps for minute in world.minutes(ADA, DAY)) == total
