"""Files of a person's own: what they must say of themselves, and what the person has said of them."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from shared import aws, connections, consents, control, files, imports, jobs, zones
from shared.importing import read
from shared.providers.healthkit import archive
from tests.functions.standing import ask, rested
from tests.functions.system import System
from tests.functions.wired import Asked, watched

pytestmark = pytest.mark.needs("file_import", "healthkit")

CSV = {"content-type": "text/csv"}
GOOD = b"glucose,timestamp\n100,2026-11-02T06:30:00Z"
LIBRE = ",".join(["Device", "Serial", "Time", "Kind", "Historic mg/dL", *[""] * 13, "-"])


@pytest.fixture
def system(standing: System) -> System:
    return rested(standing)


def upload(system: System, user: str, content: bytes = GOOD, **said: Any) -> httpx.Response:
    return ask(system, "POST", "/v1/uploads", user, content=content, headers=CSV, params=said)


def ledger(user: str) -> list[tuple[str, str]]:
    return [(entry["provider"], entry["action"]) for entry in consents.entries(user)]


def test_a_first_file_is_a_consent_and_a_second_no_other(system: System, user: str) -> None:
    assert [upload(system, user).status_code for _ in range(2)] == [202, 202]
    assert ledger(user) == [("file_import", "granted")]


def test_after_a_goodbye_nothing_is_taken_until_the_person_is_back(system: System, user: str) -> None:
    upload(system, user)
    [held] = connections.of_user(user)
    ask(system, "DELETE", f"/v1/connections/{held.id}", user)
    system.work(("fresh",))
    refused = upload(system, user)
    assert (refused.status_code, refused.json()["error"]["param"]) == (409, "reconnect")
    assert system.messages("fresh") == []
    assert upload(system, user, reconnect="true").status_code == 202
    assert ledger(user) == [("file_import", said) for said in ("granted", "withdrawn", "granted")]
    assert [c.state for c in connections.of_user(user)] == ["active"]


def test_a_clock_nobody_named_is_not_guessed(system: System, user: str) -> None:
    local = b"glucose,timestamp\n100,2026-11-02T07:30:00"
    told = upload(system, user, local)
    assert (told.status_code, told.json()["errors"][0]["column"]) == (400, "timestamp")
    zones.moved_to(user, "Europe/Berlin")
    assert upload(system, user, local).status_code == 202


def test_an_open_order_is_asked_and_the_answer_taken(system: System, user: str) -> None:
    row = ",".join(["Libre 3", "0C1D", "02-11-2026 07:30", "0", "112", *[""] * 14])
    file = "\r\n".join(["Glucose Data,Generated on", LIBRE, row]).encode()
    asked = upload(system, user, file, zone="Europe/Berlin")
    assert (asked.status_code, asked.json()["error"]["param"]) == (400, "dates")
    assert upload(system, user, file, zone="Europe/Berlin", dates="DMY").status_code == 202
    assert upload(system, user, file, zone="Europe/Berlin", dates="YDM").status_code == 400


# ---------------------------------------------------------------- large ones

ZIP = {"type": "application/zip"}
STEPS = (
    '<Record type="HKQuantityTypeIdentifierStepCount" sourceName="iPhone" unit="count" value="{value}" '
    'startDate="2026-11-{day:02} 06:30:00 +0000" endDate="2026-11-{day:02} 06:40:00 +0000"/>'
)


def export(days: int, tail: str = "</HealthData>") -> bytes:
    found = "".join(STEPS.format(value=100 + day, day=day) for day in range(1, days + 1))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("apple_health_export/export.xml", f"<HealthData>{found}{tail}")
    return packed.getvalue()


def placed(system: System, user: str, content: bytes) -> str:
    """Put where it was told; returns the upload's id."""
    told = ask(system, "POST", "/v1/uploads/large", user, json={**ZIP, "bytes": len(content)})
    assert told.status_code == 201, told.text
    place = told.json()
    assert httpx.put(place["url"], content=content, headers=place["headers"]).status_code == 200
    return str(place["upload"])


def begin(system: System, user: str, upload: str, **said: str) -> httpx.Response:
    return ask(system, "POST", f"/v1/uploads/large/{upload}", user, params=said)


def split(system: System) -> None:
    for message in system.messages("imports"):
        assert system.deliver("imports", [message], "importer") == []


def report(system: System, user: str, job: str) -> dict[str, Any]:
    told: dict[str, Any] = ask(system, "GET", f"/v1/jobs/{job}", user).json()
    return told


def steps(system: System, user: str) -> dict[str, float]:
    """What each day shows."""
    found = system.days("2026-11-01", "2026-11-10", user)
    return {day: item["metrics"]["steps"]["value"] for day, item in found.items() if "steps" in item["metrics"]}


EXPECTED = {f"2026-11-{day:02}": 100 + day for day in range(1, 6)}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "RECORDS", 2)


@pytest.mark.usefixtures("small")
def test_a_large_file_is_a_job_of_its_parts_and_then_gone(system: System, user: str) -> None:
    id_ = placed(system, user, export(5))
    assert begin(system, user, id_).json() == {"job": id_}
    assert report(system, user, id_)["status"] == "running"
    split(system)
    told = report(system, user, id_)
    assert (told["status"], told["windows"], told["done"]) == ("running", 4, 1)
    assert files.kept(imports.PREFIX, user) == []
    system.work()
    told = report(system, user, id_)
    assert (told["status"], told["action"]) == ("completed", "upload")
    assert told["told"]["file"] == {"parts": 3, "records": 5, "not_read": 0, "at_fault": 0}
    assert steps(system, user) == EXPECTED
    assert ledger(user) == [("healthkit", "granted")]
    assert begin(system, user, id_).json() == {"job": id_}  # asked again: it is done
    assert system.messages("imports") == []


@pytest.mark.usefixtures("small")
def test_sent_again_or_whole_it_is_the_same(system: System, user: str) -> None:
    for content in (export(3), export(5), export(5)):
        begin(system, user, placed(system, user, content))
        split(system)
        system.work()
    assert steps(system, user) == EXPECTED


@pytest.fixture
def dying() -> Iterator[Callable[[int], None]]:
    """Dies before this write of a job's record: what it says was done then is not noted."""
    writes = itertools.count(1)
    doomed: list[int] = []

    def write(call: Asked) -> None:
        if doomed and call.operation == "UpdateItem" and next(writes) == doomed[0]:
            raise KeyboardInterrupt

    with watched(before=write):
        yield doomed.append


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("number", [1, 3, 5])
def test_who_dies_in_it_is_followed_by_one_who_goes_on(
    system: System, user: str, number: int, dying: Callable[[int], None]
) -> None:
    id_ = placed(system, user, export(5))
    begin(system, user, id_)
    [message] = system.messages("imports")
    dying(number)
    with pytest.raises(KeyboardInterrupt):
        read(jobs.read(message["Body"]))
    assert system.deliver("imports", [message], "importer") == []
    system.work()
    assert report(system, user, id_)["status"] == "completed"
    assert steps(system, user) == EXPECTED


@pytest.mark.usefixtures("small")
def test_what_is_put_again_meanwhile_is_read_as_it_is_then(
    system: System, user: str, dying: Callable[[int], None]
) -> None:
    id_ = placed(system, user, export(3))
    begin(system, user, id_)
    [message] = system.messages("imports")
    dying(2)
    with pytest.raises(KeyboardInterrupt):
        read(jobs.read(message["Body"]))
    aws.s3().put_object(Bucket="raw", Key=imports.key(user, id_), Body=export(5), ContentType=ZIP["type"])
    assert system.deliver("imports", [message], "importer") == []
    system.work()
    assert steps(system, user) == EXPECTED


@pytest.mark.usefixtures("small")
def test_what_takes_too_long_is_gone_on_with_unless_it_gets_nowhere(system: System, user: str) -> None:
    id_ = placed(system, user, export(5))
    begin(system, user, id_)
    for _ in range(3):
        [message] = system.messages("imports")
        read(jobs.read(message["Body"]), until=1)
        if files.kept(imports.PREFIX, user) == []:
            break
    told = report(system, user, id_)
    assert told["failed"] == ["file"]
    assert told["resources"][0]["missing"][0]["cause"] == "too_large"


def test_who_is_erased_or_gone_meanwhile_leaves_nothing(system: System, user: str) -> None:
    id_ = placed(system, user, export(5))
    begin(system, user, id_)
    [message] = system.messages("imports")
    control.take(f"J#{id_}", "J")
    assert system.deliver("imports", [message], "importer") == []
    assert (files.kept(imports.PREFIX, user), system.messages("bulk")) == ([], [])
    other = placed(system, user, export(5))
    begin(system, user, other)
    [held] = connections.of_user(user)
    ask(system, "DELETE", f"/v1/connections/{held.id}", user)
    split(system)
    assert report(system, user, other)["status"] == "failed"
    system.messages("fresh")
    assert begin(system, user, placed(system, user, export(5))).status_code == 409
    assert begin(system, user, placed(system, user, export(5)), reconnect="true").status_code == 202
    system.messages("imports")


def test_half_a_file_is_told_to_be_none(system: System, user: str) -> None:
    id_ = placed(system, user, export(5, tail=""))
    begin(system, user, id_)
    split(system)
    told = report(system, user, id_)
    assert (told["status"], files.kept(imports.PREFIX, user)) == ("failed", [])
    assert told["resources"][0]["missing"][0]["cause"] == "unreadable"
    assert begin(system, user, id_).status_code == 404


def test_a_place_is_asked_for_what_can_be_read_and_is_ones_own(system: System, user: str) -> None:
    def ask_for(**said: Any) -> int:
        return ask(system, "POST", "/v1/uploads/large", user, json={**ZIP, "bytes": 10, **said}).status_code

    assert [ask_for(type="text/html"), ask_for(bytes=0), ask_for(bytes="ten"), ask_for(zone="x")] == [400] * 4
    assert ask_for(bytes=imports.LARGEST + 1) == 413
    mine = placed(system, user, export(1))
    assert [begin(system, whose, id_).status_code for whose, id_ in (
        ("mallory", mine), (user, "0" * 32), (user, "x"), (user, mine[:-1] + "%2F"),
    )] == [404] * 4  # fmt: skip
    told = imports.place(user, ZIP["type"], 10)
    assert "content-length" in told.url
    assert "checksum" not in told.url  # of what is not there yet
