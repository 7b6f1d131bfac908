"""What has become visible of the lives so far: clipped at now, nights held back, days corrected, records deleted."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from sandbox.life import MINUTE, Labs, Life, Minute, Person, Pressure, Weighing, Workout, midnight
from sandbox.sleep import Sleep

SYNC_DELAY = 10 * MINUTE  # from the end of a sleep, or of a day, until the phone has told the cloud


@dataclass(frozen=True)
class Activity:
    """One local day's totals up to now; durations in seconds, by metabolic equivalent."""

    steps: int
    distance: float
    active_kcal: float
    total_kcal: float
    high: int
    medium: int
    low: int
    sedentary: int
    resting: int


@dataclass
class World:
    life: Life
    frozen: bool = False
    stopped: int = 0  # the instant at which every life was stopped, if it was
    revealed: dict[tuple[str, date], int] = field(default_factory=dict)
    corrected: dict[tuple[str, date], tuple[int, int]] = field(default_factory=dict)
    weighed: dict[str, list[Weighing]] = field(default_factory=dict)
    deleted: dict[tuple[str, str, str, date], int] = field(default_factory=dict)

    def now(self) -> int:
        return int(self.life.today.timestamp()) if self.frozen else self.stopped or int(time.time())

    def today(self, person: Person) -> date:
        return datetime.fromtimestamp(self.now(), person.zone).date()

    def identify(self, *parts: object) -> str:
        return str(uuid5(NAMESPACE_URL, ":".join(str(part) for part in (self.life.seed, *parts))))

    # --- days

    def days(self, person: Person, first: date | None = None, last: date | None = None) -> Iterator[date]:
        """The person's days from first to last, both included, as far as the life has been lived."""
        day = self.life.local_today(person) - timedelta(days=person.history)
        day = max(day, first) if first else day
        end = min(self.today(person), last) if last else self.today(person)
        while day <= end:
            yield day
            day += timedelta(days=1)

    def days_between(self, person: Person, start: int, end: int) -> Iterator[date]:
        """Every day that holds an instant of [start, end)."""
        return self.days(person, local_day(person, start), local_day(person, max(start, end - 1)))

    # --- sleep

    def night_visible(self, person: Person, day: date) -> bool:
        if self.life.held_back(person, day) and (person.name, day) not in self.revealed:
            return False
        return self.life.sleeps(person, day)[0].end <= self.now()

    def sleeps(self, person: Person, day: date) -> list[Sleep]:
        """The visible sleeps of a wake day, the night first."""
        night, *naps = self.life.sleeps(person, day)
        shown = [night] if self.night_visible(person, day) else []
        return shown + [nap for nap in naps if nap.end <= self.now()]

    def sleep_modified(self, person: Person, day: date, sleep: Sleep) -> int:
        revealed = self.revealed.get((person.name, day), 0) if sleep.kind == "night" else 0
        return max(revealed, min(self.now(), sleep.end + SYNC_DELAY))

    # --- movement

    def minutes(self, person: Person, day: date) -> list[Minute]:
        """The minutes lived so far, with a corrected day's steps scaled to the corrected total."""
        whole, now = self.life.minutes(person, day), self.now()
        over = whole[-1].at + MINUTE <= now
        lived = list(whole) if over else [minute for minute in whole if minute.at + MINUTE <= now]
        correction = self.corrected.get((person.name, day))
        return _scale_steps(lived, correction[0]) if correction else lived

    def activity(self, person: Person, day: date) -> Activity:
        lived = self.minutes(person, day)
        workout = self.workout(person, day)
        steps = sum(minute.steps for minute in lived)
        ride = workout.distance if workout and workout.activity == "cycling" else 0.0
        active = sum(minute.met - 1 for minute in lived if minute.met > 1.5) * person.weight / 60
        return Activity(
            steps=steps,
            distance=round(steps * person.stride + ride, 1),
            active_kcal=round(active, 1),
            total_kcal=round(active + person.basal_kcal * len(lived) / 1440, 1),
            high=_seconds(lived, 6, 99),
            medium=_seconds(lived, 3.3, 6),
            low=_seconds(lived, 1.5, 3.3),
            sedentary=_seconds(lived, 1.0, 1.5),
            resting=_seconds(lived, 0, 1.0),
        )

    def activity_modified(self, person: Person, day: date) -> int:
        closed = midnight(person, day + timedelta(days=1)) + SYNC_DELAY
        return max(min(self.now(), closed), self.corrected.get((person.name, day), (0, 0))[1])

    def workout(self, person: Person, day: date) -> Workout | None:
        workout = self.life.workout(person, day)
        return workout if workout and workout.end <= self.now() else None

    def heart(self, person: Person, start: int, end: int) -> Iterator[tuple[int, int, str]]:
        """(instant, bpm, awake|sleep|workout) every five minutes, every minute in a workout; held nights left out."""
        for day in self.days_between(person, start, end):
            workout, asleep = self.workout(person, day), self.life.asleep(person, day)
            for minute in self.worn(person, day):
                if not start <= minute.at < end:
                    continue
                training = bool(workout and workout.start <= minute.at < workout.end)
                if training or minute.at % 300 == 0:
                    sleeping = any(sleep.start <= minute.at < sleep.end for sleep in asleep)
                    yield minute.at, minute.heart, "workout" if training else "sleep" if sleeping else "awake"

    def worn(self, person: Person, day: date) -> list[Minute]:
        """The minutes lived so far without those of a night that is still held back."""
        shown = [*self.sleeps(person, day), *self.sleeps(person, day + timedelta(days=1))]
        # a sleep that is not over yet is no secret: only held-back nights hide their heart rate
        hidden = [s for s in self.life.asleep(person, day) if s not in shown and s.end <= self.now()]
        lived = self.minutes(person, day)
        return [m for m in lived if not any(s.start <= m.at < s.end for s in hidden)] if hidden else lived

    # --- body and blood

    def weighings(self, person: Person) -> list[Weighing]:
        usual = [self.life.weighing(person, day) for day in self.days(person)]
        all_of_them = [w for w in usual if w] + self.weighed.get(person.name, [])
        return [weighing for weighing in all_of_them if weighing.at <= self.now()]

    def pressures(self, person: Person) -> list[Pressure]:
        usual = [self.life.pressure(person, day) for day in self.days(person)]
        return [pressure for pressure in usual if pressure and pressure.at <= self.now()]

    def labs(self, person: Person, day: date) -> Labs | None:
        """What was found in the day's sample, once the laboratory has said so."""
        labs = self.life.labs(person, day)
        return labs if labs and labs.told <= self.now() else None

    def weight(self, person: Person, day: date) -> float | None:
        """The day's last weighing, kg."""
        that_day = [w for w in self.weighings(person) if local_day(person, w.at) == day]
        return that_day[-1].kg if that_day else None

    def glucose(self, person: Person, start: int, end: int) -> list[tuple[int, int]]:
        readings = [r for day in self.days_between(person, start, end) for r in self.life.glucose(person, day)]
        return [reading for reading in readings if start <= reading[0] < end and reading[0] <= self.now()]

    # --- what happens while the sandbox runs

    def reveal(self, person: Person, day: date) -> None:
        self.revealed[person.name, day] = self.now()

    def correct_steps(self, person: Person, day: date, steps: int) -> None:
        self.corrected[person.name, day] = (steps, self.now())

    def weigh(self, person: Person, kg: float) -> Weighing:
        earlier = self.weighings(person)
        fat = earlier[-1].fat if earlier else person.fat
        weighing = Weighing(self.now(), kg, fat)
        self.weighed.setdefault(person.name, []).append(weighing)
        return weighing

    def delete(self, provider: str, person: Person, kind: str, day: date) -> None:
        self.deleted[provider, person.name, kind, day] = self.now()

    def is_deleted(self, provider: str, person: Person, kind: str, day: date, at: int = 0) -> bool:
        """Whether the day's record of this kind, taken `at`, has been deleted since."""
        return at <= self.deleted.get((provider, person.name, kind, day), -1)


def _seconds(lived: list[Minute], low: float, high: float) -> int:
    return MINUTE * sum(low <= minute.met < high for minute in lived)


def _scale_steps(lived: list[Minute], total: int) -> list[Minute]:
    """Spread `total` over the minutes in proportion to what was walked, so that it adds up exactly."""
    walked = sum(minute.steps for minute in lived)
    if not walked:
        return [*lived[:-1], replace(lived[-1], steps=total)] if lived else []
    scaled, before, seen = [], 0, 0
    for minute in lived:
        seen += minute.steps
        upto = total * seen // walked
        scaled.append(replace(minute, steps=upto - before))
        before = upto
    return scaled


def local_day(person: Person, instant: int) -> date:
    return datetime.fromtimestamp(instant, person.zone).date()


def local_iso(person: Person, instant: int) -> str:
    return datetime.fromtimestamp(instant, person.zone).isoformat(timespec="seconds")


def utc_iso(instant: int, *, millis: bool = False) -> str:
    text = datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds" if millis else "seconds")
    return text.removesuffix("+00:00") + "Z"
