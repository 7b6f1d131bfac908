"""The flows whose deaths are explored: what happens in peace before, what is done, and which few differences from the
clean run a death may leave, where that is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from typing import Any
from zipfile import ZipFile

from sandbox.life import PEOPLE
from sandbox.webhooks import Webhook
from shared import connections, imports
from shared.apps import EVERYBODY, Hooks
from shared.connections import Connection, segment
from shared.looks import next_look
from shared.model import MINUTE
from shared.providers.registry import provider
from shared.timetable import LOOK, is_reviewed
from tests.functions.mortal import Crossing, Death, World, put, rows
from tests.functions.outcome import HOOK_KEY, Outcome, living

ADA = PEOPLE["ada"]
HOOKS = Hooks(HOOK_KEY)
Begin = Callable[[World], None]
Jobs = list[str]
"""Tracked jobs that the client was told of."""


@dataclass(frozen=True)
class Run:
    crossings: list[Crossing]
    messages: int
    left: Outcome

    def first(self, label: str, start: int = 0) -> int:
        """The first call that is about this."""
        return next(n for n, c in enumerate(self.crossings) if n >= start and label in c.label)

    def unanswered(self, death: Death, done: int, invocation: int) -> bool:
        """The call took effect, and the invocation it belongs to ended before it could answer."""
        return behind(death, done) and self.crossings[death.call].invocation == invocation


def behind(death: Death, done: int) -> bool:
    return death.call > done or (death.call == done and death.side == "after")


def between(death: Death, done: int, noted: int) -> bool:
    """The one call took effect, the other did not."""
    return behind(death, done) and not behind(death, noted)


def as_clean(clean: Run, death: Death) -> Outcome:
    return clean.left


@dataclass(frozen=True)
class Flow:
    """`act` is what is explored. `expects` is what a run with this death must leave: what the clean one left.

    `renews`: each delivery renews the token, to see whether the grant lives.
    """

    begin: Begin
    act: Callable[[World], Jobs]
    expects: Callable[[Run, Death], Outcome] = as_clean
    renews: bool = False


FLOWS: dict[str, Flow] = {}


def many(*begins: Begin) -> Begin:
    def begin(world: World) -> None:
        for one in begins:
            one(world)

    return begin


def flow(
    *begins: Begin, expects: Callable[[Run, Death], Outcome] = as_clean, renews: bool = False
) -> Callable[[Any], Any]:
    def named(act: Callable[[World], Jobs]) -> Callable[[World], Jobs]:
        FLOWS[act.__name__.replace("_", " ")] = Flow(many(*begins), act, expects, renews)
        return act

    return named


def connected(provider: str, *scopes: str, filled: bool = True) -> Begin:
    """Ada, with her last week already here."""

    def begin(world: World) -> None:
        world.connect(provider, *scopes)
        if filled:
            world.work(("fresh",))
        world.queues.of("fresh").clear()
        world.queues.of("bulk").clear()

    return begin


def held(provider: str) -> Connection:
    [found] = [c for c in living() if c.provider == provider]
    return found


def ask(world: World, method: str, target: str, said: Any = b"", user: str = "ada") -> str:
    """What a client asks; returns the job it was told of."""
    kind = "text/csv" if isinstance(said, str) else "application/json"
    content = said.encode() if isinstance(said, str) else json.dumps(said).encode() if said else b""
    return str(world.ask(method, target, user, content, content_type=kind)["job"])


# ---------------------------------------------------------------- webhooks


@flow(connected("oura", "spo2", "heartrate"))
def a_night_told_by_webhooks(world: World) -> Jobs:
    """Events about an account: each is resolved to a connection, and asks for a document or for days."""
    world.vendors.lives.reveal(ADA, world.today)
    world.happens("oura", "night")
    world.work()
    return []


@flow(connected("withings", "user.metrics"))
def a_weighing_told_by_webhook(world: World) -> Jobs:
    world.vendors.lives.weigh(ADA, 64.0)
    world.happens("withings", "weigh")
    world.work()
    return []


@flow(connected("dexcom", filled=False))
def readings_pushed_by_a_relay(world: World) -> Jobs:
    """The message is the data."""
    relay(world)
    world.work()
    return []


def its_address_entered(world: World) -> None:
    world.vendors.clouds["terra"].dashboard_url = "/v1/webhooks/terra"


@flow(connected("terra.garmin", filled=False), its_address_entered)
def a_night_pushed_for_an_account(world: World) -> Jobs:
    """The message is the data, and the door finds the connection it is sealed for."""
    world.vendors.lives.reveal(ADA, world.today)
    world.happens("terra", "night")
    world.work()
    return []


@flow(connected("terra.garmin", filled=False), its_address_entered)
def an_account_renamed(world: World) -> Jobs:
    """By its old name it is found no more, whoever died in between."""
    cloud: Any = world.vendors.clouds["terra"]
    old = cloud.users[held("terra.garmin").account].shown()
    word = {"type": "user_reauth", "old_user": old, "new_user": {**old, "user_id": "another"}}
    world.post(cloud._hook(word))
    world.work()
    return []


def its_portal_filled_in(world: World) -> None:
    world.vendors.clouds["garmin"].enter(f"/v1/webhooks/garmin/{HOOKS.path('garmin', EVERYBODY)}")


@flow(connected("garmin", filled=False), its_portal_filled_in)
def a_night_told_by_a_ping(world: World) -> Jobs:
    """The address of the data has a token in it: the door seals it, and the worker follows it."""
    world.vendors.lives.reveal(ADA, world.today)
    world.happens("garmin", "night")
    world.work()
    return []


@flow(connected("garmin", filled=False), its_portal_filled_in)
def a_permission_taken_back(world: World) -> Jobs:
    cloud: Any = world.vendors.clouds["garmin"]
    cloud.grants.permit(ADA.name, ("ACTIVITY_EXPORT",))
    for hook in cloud.permitted(ADA):
        world.post(hook)
    world.work()
    return []


def relay(world: World) -> None:
    id_ = held("dexcom").id
    url = f"/v1/webhooks/dexcom/{HOOKS.path('dexcom', id_)}"
    cloud: Any = world.vendors.clouds["dexcom"]
    world.post(cloud.relay(ADA, url, HOOKS.secrets("dexcom", id_, world.clock.now)[0], 30))


@flow(connected("oura", "workout"))
def a_document_deleted_at_the_vendor(world: World) -> Jobs:
    delete_a_workout(world)
    world.work()
    return []


def delete_a_workout(world: World) -> None:
    days: list[date] = [world.today - timedelta(days=n) for n in range(1, 7)]
    day = next(day for day in days if world.vendors.lives.workout(ADA, day))
    world.vendors.lives.delete("oura", ADA, "workout", day)
    world.happens("oura", "delete", day, "workout")


def renewed_again(clean: Run, death: Death) -> Outcome:
    """The token is renewed to see whether the grant lives, and once more by whoever comes after the one who died."""
    generation = "tokens", "ada", "withings"
    kept = clean.first("UpdateItem Control C#", clean.first(REFRESHES["withings"][1]))
    again = clean.unanswered(death, kept, clean.crossings[kept].invocation)
    return {**clean.left, generation: clean.left[generation] + again}


@flow(connected("withings", "user.metrics"), expects=renewed_again, renews=True)
def a_goodbye_that_is_not_true(world: World) -> Jobs:
    goodbye(world)
    world.work()
    return []


@flow(connected("withings", "user.metrics"))
def a_grant_ended_at_the_vendor(world: World) -> Jobs:
    world.vendors.clouds["withings"].grants.revoke(ADA.name)
    goodbye(world)
    world.work()
    return []


def goodbye(world: World) -> None:
    ours = held("withings")
    body = f"userid={ours.account}&appli=46&action=unlink".encode()
    world.post(Webhook(f"/v1/webhooks/withings/{HOOKS.path('withings', ours.id)}", {}, body))


# ---------------------------------------------------------------- polls, backfills, uploads


@flow(connected("oura", "workout", "heartrate"))
def a_poll(world: World) -> Jobs:
    world.vendors.lives.reveal(ADA, world.today)
    world.tick(segments=[segment(held("oura").id, 1)])
    world.work()
    return []


def at_its_review(world: World) -> None:
    """Walked until the minute before the look of the week at which the connection is polled and reviewed, with all of
    the fortnight here but today's readings."""
    asked, source = held("dexcom"), provider("dexcom")
    look, weekday = next_look(asked.turn, world.clock.now), connections.weekday_of(asked.id)
    while not is_reviewed(source, weekday, asked.zone, look, asked.wake):
        look += LOOK
    world.clock.now = look - MINUTE
    connections.change(asked.id, resources={"egvs"})
    days = {"action": "sync", "days": 14}
    ask(world, "POST", "/v1/sync", days)
    world.work()
    world.tick()
    world.queues.of("segments").clear()
    world.clock.now = look


@flow(connected("dexcom", filled=False), at_its_review)
def a_walk_of_the_ring(world: World) -> Jobs:
    """At the look of the week: a poll and a review."""
    world.tick()
    world.work()
    return []


@flow(connected("oura", "workout", filled=False))
def a_backfill(world: World) -> Jobs:
    job = ask(world, "POST", "/v1/sync", {"action": "backfill", "days": 12})
    world.work()
    return [job]


@flow(connected("oura", "workout"))
def an_aggregation(world: World) -> Jobs:
    job = ask(world, "POST", "/v1/sync", {"action": "aggregate", "days": 4})
    world.work()
    return [job]


def everyone_is_asked(world: World) -> None:
    """Thirty messages, one for each segment of the ring; the one of Ada's is explored."""
    ask(world, "POST", "/v1/sync", {"action": "sync", "days": 3, "everyone": True}, "machine tributary/users:act")
    segments = world.queues.of("bulk")
    segments[:] = [m for m in segments if json.loads(m.body)["segment"] == segment(held("oura").id, 1)]


@flow(connected("oura", "workout", filled=False), everyone_is_asked)
def a_sync_of_everyone(world: World) -> Jobs:
    world.work()
    return tracked()


def tracked() -> Jobs:
    """Every tracked job there is, oldest first."""
    jobs = [item for item in rows("Control") if item["pk"].startswith("J#")]
    return [item["pk"].removeprefix("J#") for item in sorted(jobs, key=lambda item: item["created"])]


CSV = """timestamp,glucose,unit
2026-11-18T23:50:00+01:00,101,mg/dL
2026-11-19T00:10:00+01:00,5.8,mmol/L
2026-11-19T08:00:00+01:00,97,mg/dL
"""


@flow()
def an_upload(world: World) -> Jobs:
    job = ask(world, "POST", "/v1/uploads", CSV)
    world.work()
    return [job]


LARGE = "0" * 32
WEIGHED = (
    '<Record type="HKQuantityTypeIdentifierBodyMass" sourceName="Scale" unit="kg" value="64" '
    'startDate="2026-11-{day} 06:30:00 +0000" endDate="2026-11-{day} 06:30:00 +0000"/>'
)


def a_file_is_put(world: World) -> None:
    packed, records = BytesIO(), "".join(WEIGHED.format(day=day) for day in (17, 18))
    with ZipFile(packed, "w") as out:
        out.writestr("apple_health_export/export.xml", f"<HealthData>{records}</HealthData>")
    put(imports.key("ada", LARGE), packed.getvalue())


@flow(a_file_is_put)
def a_large_file(world: World) -> Jobs:
    """From the second call on: before it, the sender has all of it."""
    job = ask(world, "POST", f"/v1/uploads/large/{LARGE}")
    world.work()
    return [job]


def an_export_is_asked_for(world: World) -> str:
    return ask(world, "POST", "/v1/exports", {"format": "ndjson"})


@flow(connected("oura", "workout"))
def an_export(world: World) -> Jobs:
    """What is stored, in a file, and a record that leads to it."""
    job = an_export_is_asked_for(world)
    world.work()
    return [job]


def exported(world: World) -> None:
    an_export_is_asked_for(world)
    world.work()


def uploaded(world: World) -> None:
    ask(world, "POST", "/v1/uploads", CSV)
    world.work()


# ---------------------------------------------------------------- pushes from the phone


def pushed(world: World, key: str, upserts: list[dict[str, Any]], *deletes: str) -> None:
    """Who gets no answer asks again, with the same key."""
    batch = {"time_zone": "Europe/Berlin", "upserts": upserts, "deletes": [{"source_id": id_} for id_ in deletes]}
    content = json.dumps(batch).encode()
    headers = {"content_type": "application/json", "idempotency_key": key}
    assert world.ask("POST", "/v1/push/healthkit", "ada", content, **headers)["rejected"] == 0


def sample(n: int, start: str, end: str, type: str = "SleepAnalysis", value: float = 3, **said: str) -> dict[str, Any]:
    prefix = "HKQuantityTypeIdentifier" if said else "HKCategoryTypeIdentifier"
    source = {"bundle_id": "com.apple.health.0F1D", "product_type": "Watch7,5"}
    told = {"source_id": f"sample-{n}", "type": prefix + type, "start": start, "end": end, "value": value}
    return {**told, "source": source, **said}


BEATS = [sample(n, f"2026-11-18T22:5{n}:00Z", f"2026-11-18T22:5{n}:00Z", "HeartRate", 55, unit="bpm") for n in range(5)]
STRETCHES = [
    sample(10, "2026-11-18T21:30:00Z", "2026-11-18T22:30:00Z"),
    sample(11, "2026-11-18T22:30:00Z", "2026-11-18T23:30:00Z", value=4),
]


@flow()
def a_first_push(world: World) -> Jobs:
    """It connects, and brings half a night and what is measured in it."""
    pushed(world, "one", [*BEATS, *STRETCHES])
    world.work()
    return []


def pushed_before(world: World) -> None:
    pushed(world, "one", [*BEATS, STRETCHES[0]])
    world.work()
    world.clock.now += 60_000


@flow(pushed_before)
def a_push_that_deletes(world: World) -> Jobs:
    """What is here, what comes with it, and what nobody has seen yet."""
    pushed(world, "two", [STRETCHES[1], BEATS[0]], "sample-1", "sample-10", "sample-11", "sample-99")
    world.work()
    return []


# ---------------------------------------------------------------- coming and going


def consented_twice(clean: Run, death: Death) -> Outcome:
    """A person who got no answer starts again: where the first consent was written down before the death, there are
    two of them in the ledger; where its tokens were kept, they were the first generation."""
    left = dict(clean.left)
    ledger, generation = ("ledger", "ada"), ("tokens", "ada", "withings")
    if clean.unanswered(death, clean.first("N#00000001"), invocation=2):
        left[ledger] = {**left[ledger], "entries": left[ledger]["entries"] * 2}
    if clean.unanswered(death, clean.first("UpdateItem Control C#"), invocation=2):
        left[generation] = 2
    return left


@flow(expects=consented_twice)
def a_connection(world: World) -> Jobs:
    """From the app's button to the first week, and the subscriptions that keep it fresh."""
    world.connect("withings", "user.metrics")
    world.work(("fresh",))
    return [held("withings").backfill]


def farewell(second: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Run, Death], Outcome]:
    """Two things nobody can know. Whether the grant was revoked, where the vendor's answer was lost: asked again, it
    refuses the dead token. And, where the door's answer was lost, that the first request was heard: the client holds
    the job of its second one, which finds nothing left to do and tells that."""

    def expects(clean: Run, death: Death) -> Outcome:
        job = clean.left["job", "0"]
        told, revoked = job["told"], clean.first("oauth2 revoke")
        if between(death, revoked, clean.first("UpdateItem Control J#", revoked)):
            told = {**told, "withings": "refused by the vendor"}
        if clean.unanswered(death, clean.first("SendMessageBatch"), invocation=1):
            told = second(told)
        return {**clean.left, ("job", "0"): {**job, "told": told}}

    return expects


def nothing_erased(told: dict[str, Any]) -> dict[str, Any]:
    """As the second sweep found it."""
    zeros = [what.partition(": ")[2] for what in told if what.startswith("second sweep")]
    kept = {what: said for what, said in told.items() if said.endswith("then") or what == "events"}
    return {**kept, **{f"{sweep} sweep: {what}": "0" for sweep in ("first", "second") for what in zeros}}


@flow(connected("withings", "user.metrics"), expects=farewell(lambda told: {"withings": "nothing to revoke"}))
def a_disconnection(world: World) -> Jobs:
    job = ask(world, "DELETE", f"/v1/connections/{held('withings').id}")
    world.work()
    return [job]


@flow(
    connected("withings", "user.metrics"), connected("oura", "workout", filled=False),
    expects=farewell(lambda told: {}),
)  # fmt: skip
def a_disconnection_with_its_data(world: World) -> Jobs:
    job = ask(world, "DELETE", f"/v1/connections/{held('withings').id}?purge=true")
    world.work()
    return [job]


@flow(
    connected("withings", "user.metrics", filled=False), uploaded, exported, a_file_is_put,
    expects=farewell(nothing_erased),
)  # fmt: skip
def an_erasure(world: World) -> Jobs:
    if not world.queues.of("dead"):
        world.queues.put(world.queues.of("dead"), json.dumps({"id": "x", "connection": held("withings").id}))
    job = ask(world, "DELETE", "/v1/user")
    world.work()
    return [job]


# ---------------------------------------------------------------- tokens


def two_errands(provider: str) -> Callable[[World], Jobs]:
    """Two messages of one connection whose token has run out, one an invocation: while the one that died in the refresh
    is away, the other meets its lease."""

    def act(world: World) -> Jobs:
        world.tick(segments=[segment(held(provider).id, 1)])
        job = ask(world, "POST", "/v1/sync", {"action": "sync", "days": 3})
        world.work(most=1)
        return [job]

    return act


REFRESHES = {
    "oura": ("workout", "/oauth/token"),
    "withings": ("user.metrics", "oauth2 requesttoken"),
}
"""By provider: what to be granted, and what the call for a new token is called. Oura's old refresh token dies with the
call, Withings' with the first use of what it bought."""


def reply_lost(clean: Run, death: Death) -> Outcome:
    """Oura gave out a new refresh token, and the one who was to write it down died: nobody has one that lives. The
    person is asked to connect again, and told why; nothing is made up, and no message comes back for ever."""
    asked = clean.first(REFRESHES["oura"][1])
    if not between(death, asked, clean.first("UpdateItem Control C#", asked)):
        return clean.left
    left = {key: value for key, value in clean.left.items() if key[0] not in ("section", "slot", "day", "announced")}
    connection, job = left["connection", "ada", "oura"], left["job", "0"]
    lost = {"state": "reconnect", "cause": "refresh_reply_lost", "refresh token lives": False, "polled": False}
    return {
        **left,
        ("connection", "ada", "oura"): {**connection, **lost, "cursors": {}, "stamped": []},
        ("tokens", "ada", "oura"): left["tokens", "ada", "oura"] - 1,
        ("job", "0"): {**job, "status": "failed", "done": [], "failed": job["windows"]},
    }


def refreshing(provider: str) -> Flow:
    scope, _ = REFRESHES[provider]

    def begin(world: World) -> None:
        connected(provider, scope, filled=False)(world)
        connections.change(held(provider).id, token_expires=0)

    return Flow(begin, two_errands(provider), reply_lost if provider == "oura" else as_clean)


FLOWS |= {f"a refresh at {provider}": refreshing(provider) for provider in REFRESHES}


# ---------------------------------------------------------------- many at once


def much_from_oura(world: World) -> None:
    """A night, a deletion, a poll, a backfill and a sync, all still in the queues."""
    world.vendors.lives.reveal(ADA, world.today)
    world.happens("oura", "night")
    delete_a_workout(world)
    world.tick(segments=[segment(held("oura").id, 1)])
    ask(world, "POST", "/v1/sync", {"action": "backfill", "days": 9})
    ask(world, "POST", "/v1/sync", {"action": "aggregate", "days": 4})


def much_of_all_kinds(world: World) -> None:
    world.vendors.lives.weigh(ADA, 64.0)
    world.happens("withings", "weigh")
    relay(world)
    world.clock.now += 60_000
    relay(world)
    ask(world, "POST", "/v1/uploads", CSV)
    ask(world, "POST", "/v1/uploads", CSV.replace("101", "105"))
    pushed(world, "one", [*BEATS, STRETCHES[0]])
    pushed(world, "two", [STRETCHES[1]], "sample-1", "sample-10")
    pushed(world, "three", BEATS)
    ask(world, "POST", "/v1/sync", {"action": "sync", "days": 3})


def an_erasure_among_it(world: World) -> None:
    an_export_is_asked_for(world)
    ask(world, "DELETE", "/v1/user")


OURA = connected("oura", "workout", "heartrate")
ALL_KINDS = many(connected("withings", "user.metrics", filled=False), connected("dexcom", filled=False))
CROWDS: dict[str, Begin] = {
    "one source": many(OURA, much_from_oura),
    "many sources": many(ALL_KINDS, much_of_all_kinds),
}
"""What waits in the queues at once, to be delivered in any order."""
ERASED: Begin = many(ALL_KINDS, much_of_all_kinds, an_erasure_among_it)
