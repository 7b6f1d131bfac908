"""The operator's command line, without AWS."""

from __future__ import annotations

import io
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ops import local
from ops.cli import main, spans
from ops.local import Local
from ops.processes import ProcessError, Processes, is_alive
from ops.stage import StepFailed, eventually, expect, nearly
from ops.table import days_table
from shared.apps import Hooks
from shared.providers.registry import provider, provider_ids
from shared.webhooks import hook_of, sign

pytestmark = pytest.mark.needs("dexcom", "file_import", "oura", "withings")

SECRET = "a client secret"
NOON = "2026-11-20T12:00:00Z"
NOON_S = str(int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()))
NAP = {
    "id": "n1", "type": "late_nap", "day": "2026-11-19", "total_sleep_duration": 1800,
    "bedtime_start": "2026-11-19T14:00:00+01:00", "bedtime_end": "2026-11-19T14:40:00+01:00",
}  # fmt: skip
BEATS = [{"timestamp": f"2026-11-19T10:0{n}:00+00:00", "bpm": 60 + n} for n in range(3)]
FILE = "timestamp,glucose\n2026-01-01 08:00,100\n2026-01-01 08:05,plenty\n"
OURA_EVENT = json.dumps(
    {"event_type": "update", "data_type": "daily_sleep", "object_id": "d1", "event_time": NOON, "user_id": "u1"}
).encode()


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    status = main(arguments)
    return status, json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(arguments)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("tributary: ")
    assert told.err.count("\n") == 1
    return status, told.err


def write(path: Path, content: object) -> str:
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return str(path)


def stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


# ---------------------------------------------------------------- map


def test_a_bare_record_an_envelope_and_standard_input_say_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = answer(capsys, "map", "oura", "sleep", write(tmp_path / "bare.json", NAP))
    enveloped = answer(capsys, "map", "oura", "sleep", write(tmp_path / "page.json", {"data": [NAP]}))
    stdin(monkeypatch, json.dumps([NAP]).encode())
    piped = answer(capsys, "map", "oura", "sleep", "-")
    assert bare == enveloped == piped
    status, (reading, episode) = bare
    assert status == 0
    assert (reading["metric"], reading["value"], reading["unit"]) == ("sleep_duration", 0.5, "h")
    assert (reading["start"], reading["end"]) == ("2026-11-19T13:00:00.000Z", "2026-11-19T13:40:00.000Z")
    assert (reading["day"], reading["identity"]) == ("2026-11-19", "oura:sleep:n1:sleep_duration")
    assert (episode["episode"], episode["identity"]) == ("nap", "oura:sleep:n1")


def test_a_series_is_one_line_or_every_sample(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = write(tmp_path / "beats.json", {"data": BEATS})
    _, (column,) = answer(capsys, "map", "oura", "heartrate", file)
    assert (column["samples"], column["min"], column["max"]) == (3, 60, 62)
    _, samples = answer(capsys, "map", "oura", "heartrate", file, "--expand")
    assert [row["value"] for row in samples] == [60, 61, 62]


def test_a_zone_names_the_day_of_what_names_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = write(tmp_path / "late.json", {"data": [{"timestamp": "2026-11-19T23:30:00+00:00", "bpm": 50}]})
    days = {
        zone: answer(capsys, "map", "oura", "heartrate", file, "--zone", zone)[1][0]["day"]
        for zone in ("Europe/Berlin", "America/New_York")
    }
    assert days == {"Europe/Berlin": "2026-11-20", "America/New_York": "2026-11-19"}


def test_a_persons_own_file_is_mapped_with_its_bad_rows(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "mine.csv", FILE.encode())
    status, (good, bad) = answer(capsys, "map", "file_import", "glucose", file, "--zone", "Europe/Berlin", "--expand")
    assert (status, good["value"], good["start"]) == (0, 100, "2026-01-01T07:00:00.000Z")
    assert bad == {"skipped": 3, "reason": "not a number", "field": "glucose"}
    stdin(monkeypatch, b'\xef\xbb\xbf [{"timestamp": "2026-01-01T08:00:00Z", "value": 5.5, "unit": "mmol/L"}]')
    _, (only,) = answer(capsys, "map", "file_import", "glucose", "-", "--expand")
    assert (only["value"], only["unit"], only["vendor_unit"]) == (99.0857, "mg/dL", "mmol/L")


def test_what_cannot_be_mapped_is_said_in_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page = write(tmp_path / "page.json", {"data": []})
    status, told = refused(capsys, "map", "ouro", "sleep", page)
    assert (status, all(name in told for name in provider_ids())) == (2, True)
    status, told = refused(capsys, "map", "oura", "sleeps", page)
    assert (status, all(r.name in told for r in provider("oura").resources)) == (2, True)
    assert refused(capsys, "map", "oura", "sleep", str(tmp_path / "none"))[0] == 2
    assert refused(capsys, "map", "oura", "sleep", write(tmp_path / "half.json", b'{"data": ['))[0] == 2
    assert refused(capsys, "map", "oura", "sleep", write(tmp_path / "a.txt", b"hello"))[0] == 2
    assert refused(capsys, "map", "oura", "sleep", page, "--zone", "Mars/Base")[0] == 2
    assert refused(capsys, "map", "oura", "heartrate", write(tmp_path / "odd.json", {"data": 7}))[0] == 2
    with pytest.raises(SystemExit, match="2"):
        main(["map", "oura"])


# ---------------------------------------------------------------- verify


def oura_headers(secret: str = SECRET, stamp: str = NOON_S) -> dict[str, str]:
    signature = sign(hook_of(provider("oura")).proof, secret, OURA_EVENT, stamp)  # type: ignore[arg-type]
    return {"X-Oura-Signature": signature.upper(), "X-Oura-Timestamp": stamp}


def verify(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, body: bytes, *more: str, **headers: str
) -> Any:
    files = ("--headers", write(tmp_path / "h.json", headers), "--body", write(tmp_path / "body", body))
    return answer(capsys, "verify", name, *files, *more)


@pytest.mark.parametrize("now", [NOON, NOON_S, NOON_S + "000", "2026-11-20T12:04:00", "2026-11-20T13:00:00+01:00"])
def test_a_signed_webhook_is_accepted_with_its_events(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, now: str
) -> None:
    given = ("--secret", SECRET, "--now", now)
    status, told = verify(capsys, tmp_path, "oura", OURA_EVENT, *given, **oura_headers())
    assert status == 0
    assert told == {
        "accepted": True,
        "why": None,
        "connection": None,
        "events": [{"resources": ["daily_sleep"], "account": "u1", "document": "d1"}],
    }


@pytest.mark.parametrize(
    ("headers", "now", "why"),
    [
        (oura_headers("another"), NOON, "does not match the body"),
        (oura_headers(), "2026-11-20T12:05:01Z", "stale"),
        ({}, NOON, "x-oura-signature is missing"),
        (oura_headers(), "", "stale"),
    ],
)
def test_a_refused_webhook_says_why(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, headers: dict[str, str], now: str, why: str
) -> None:
    given = ("--secret", SECRET, "--now", now)
    status, told = verify(capsys, tmp_path, "oura", OURA_EVENT, *given, **headers)
    assert (status, told["accepted"], told["events"]) == (1, False, [])
    assert why in told["why"]


RELAY = json.dumps(
    {"type": "egv", "records": [{"systemTime": "2026-11-20T11:55:00Z", "value": 104, "unit": "mg/dL"}]}
).encode()


def dexcom_headers(secret: str) -> dict[str, str]:
    return {"X-Dexcom-Signature": sign(hook_of(provider("dexcom")).proof, secret, RELAY)}  # type: ignore[arg-type]


def test_a_connections_own_secret_is_enough_where_no_address_is_given(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ("--secret", "one's own", "--now", NOON)
    status, told = verify(capsys, tmp_path, "dexcom", RELAY, *given, **dexcom_headers("one's own"))
    assert (status, told["accepted"]) == (0, True)
    assert "address not checked" in told["note"]
    assert told["events"][0]["payload"]["records"][0]["value"] == 104
    assert verify(capsys, tmp_path, "dexcom", RELAY, *given, **dexcom_headers("another"))[0] == 1


def test_an_address_is_checked_against_the_key_it_is_derived_from(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    hooks = Hooks(b"a hook key", 2)
    secret = hooks.secrets("dexcom", "c1", 0)[0]
    key = ("--hook-key", "a hook key", "--hook-generation", "2", "--now", NOON)
    url = f"https://api.example.com/v1/webhooks/dexcom/{hooks.path('dexcom', 'c1')}"
    status, told = verify(capsys, tmp_path, "dexcom", RELAY, *key, "--path", url, **dexcom_headers(secret))
    assert (status, told["connection"]) == (0, "c1")
    assert "note" not in told
    weight = b"userid=1&startdate=1793600400&enddate=1793600401&appli=1"
    path = hooks.path("withings", "c1")
    status, told = verify(capsys, tmp_path, "withings", weight, *key, "--path", path)
    assert (status, told["connection"]) == (0, "c1")
    assert (told["events"][0]["resources"], len(told["events"][0]["window"])) == (["measures"], 2)
    status, told = verify(capsys, tmp_path, "withings", weight, *key, "--path", path[:-1] + "_")
    assert (status, told["why"]) == (1, "this webhook address is not one of ours")


def test_what_verify_needs_is_asked_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = ["--headers", write(tmp_path / "h.json", {}), "--body", write(tmp_path / "body", b"{}")]
    status, told = refused(capsys, "verify", "oura", *files)
    assert (status, "--secret" in told) == (2, True)
    status, told = refused(capsys, "verify", "file_import", *files)
    assert (status, "sends no webhooks" in told) == (2, True)
    assert refused(capsys, "verify", "oura", *files, "--secret", "x", "--now", "soon")[0] == 2
    listed = ["--headers", write(tmp_path / "l.json", []), "--body", str(tmp_path / "body")]
    assert refused(capsys, "verify", "oura", *listed, "--secret", "x")[0] == 2


# ---------------------------------------------------------------- processes, systems, tables


@pytest.fixture
def systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(local, "LOCAL", tmp_path)
    return tmp_path


def test_without_a_local_system_there_is_nothing_to_try(capsys: pytest.CaptureFixture[str], systems: Path) -> None:
    assert "make up" in refused(capsys, "try", write(systems / "mine.csv", FILE.encode()))[1]
    assert "named other" in refused(capsys, "down", "other")[1]
    assert main(["down"]) == 0


@pytest.mark.parametrize("stopped", [True, False])
def test_down_stops_what_has_no_living_owner(capsys: pytest.CaptureFixture[str], systems: Path, stopped: bool) -> None:
    system, processes = Local("one", 0 if stopped else os.getpid(), []), Processes(systems)
    system.folder.mkdir()
    port = systems / "port"
    processes.start(
        "sandbox", [sys.executable, "-m", "sandbox", "--port-file", str(port)], dict(os.environ), local.ROOT
    )
    try:
        processes.wait_until("sandbox", lambda: port.exists() and bool(port.read_text()), 20)
        system.sandbox, system.pids = f"http://127.0.0.1:{port.read_text()}", processes.pids()
        eventually(lambda: expect("sandbox up", True, system.is_up))
        system.save()
        assert main(["down"]) == 0
        assert ("one" in capsys.readouterr().out) is stopped
        assert is_alive(system.pids[0]) is not stopped
        assert system.folder.exists() is not stopped
    finally:
        processes.stop()


def test_down_leaves_processes_alone_that_took_an_old_ones_number(systems: Path) -> None:
    system, processes = Local("one", 0, []), Processes(systems)
    system.folder.mkdir()
    processes.start("another", ["sleep", "60"], {}, systems)
    try:
        system.pids = processes.pids()
        system.save()
        assert main(["down"]) == 0
        assert is_alive(system.pids[0])
        assert not system.folder.exists()
    finally:
        processes.stop()


def test_a_process_that_fails_or_ends_early_is_quoted(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.start("broken", ["sh", "-c", "echo the reason; exit 3"], {}, tmp_path)
    with pytest.raises(ProcessError, match="broken failed\nthe reason"):
        processes.finish("broken", 10)
    with pytest.raises(ProcessError, match="broken ended\nthe reason"):
        processes.wait_until("broken", lambda: False, 10)
    processes.start("slow", ["sleep", "60"], {}, tmp_path)
    with pytest.raises(ProcessError, match="slow took over"):
        processes.finish("slow", 0.05)
    pids = processes.pids()
    processes.stop()
    assert not any(map(is_alive, pids))


def test_days_are_a_table_with_source_and_age() -> None:
    steps = {"value": 12345, "source": "oura", "as_of": "2026-11-20T11:58:00Z"}
    weight = {"value": 64, "source": "withings", "as_of": "2026-11-19T12:00:00Z"}
    days = [
        {"day": "2026-11-19", "metrics": {"weight": weight}, "recovery": {"score": None, "status": "missing_inputs"}},
        {"day": "2026-11-20", "metrics": {"steps": steps}, "recovery": {"score": 61, "status": "ok"}},
    ]
    assert days_table(days, datetime(2026, 11, 20, 12, tzinfo=UTC)).splitlines() == [
        "day         steps        weight kg      recovery        newest",
        "───         ─────        ─────────      ────────        ──────",
        "2026-11-19  –            64.0 withings  missing inputs  1 d ago",
        "2026-11-20  12,345 oura  –              61              2 min ago",
    ]


def test_days_far_apart_are_asked_for_separately() -> None:
    assert spans([]) == []
    days = ["2024-01-01", "2024-06-01", "2024-12-31", "2025-01-01", "2026-11-20"]
    assert spans(days) == [("2024-01-01", "2024-12-31"), ("2025-01-01", "2025-01-01"), ("2026-11-20", "2026-11-20")]


def test_a_step_fails_with_what_was_expected_and_seen() -> None:
    with pytest.raises(StepFailed, match="steps: expected 5, saw None"):
        expect("steps", 5, None)
    with pytest.raises(StepFailed, match=r"sleep: expected 7 ± 0\.1, saw 7\.2"):
        nearly("sleep", 7, 7.2, 0.1)
    with pytest.raises(StepFailed, match=r"expected 1, saw 2 \(after 0 s\)"):
        eventually(lambda: expect("n", 1, 2), patience_s=0)
    seen = iter([2, 2, 1])
    eventually(lambda: expect("n", 1, next(seen)), patience_s=5)
