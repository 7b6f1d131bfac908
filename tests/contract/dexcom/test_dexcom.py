"""The relay's signature and numbers, beyond what the contract tests see."""

import json
from datetime import UTC, datetime

import pytest

from shared.errors import InvalidSignatureError
from shared.model import Document, Skipped
from shared.providers import Event, HmacSignature
from shared.providers.dexcom import hooks, mapping
from shared.providers.dexcom.spec import PROVIDER
from shared.webhooks import Call, verify

BODY = (
    b'{"type":"egv","records":[{"value":112,"unit":"mg/dL","trend":"flat","systemTime":"2026-11-02T06:30:00Z",'
    b'"transmitterId":"0f3c","displayDevice":"iOS"}]}'
)
# HMAC-SHA256 of BODY under "shared-secret", computed apart from this code.
SIGNATURE = "b0ab1eca0daccbf14a9af2f3a304754752b14e5594f3a8990e5a076160954fb6"
NOW = datetime(2026, 11, 2, 6, 31, tzinfo=UTC)


def prove(header: str) -> None:
    assert PROVIDER.webhook
    assert isinstance(PROVIDER.webhook.proof, HmacSignature)
    verify(PROVIDER.webhook.proof, ["shared-secret"], Call({"x-dexcom-signature": header}, BODY, None, 0))


@pytest.mark.parametrize("header", [SIGNATURE, "sha256=" + SIGNATURE])
def test_the_signature_is_accepted_bare_and_prefixed(header: str) -> None:
    prove(header)


@pytest.mark.parametrize("header", ["", "sha256=", SIGNATURE[:-1], "sha1=" + SIGNATURE])
def test_any_other_signature_is_refused(header: str) -> None:
    with pytest.raises(InvalidSignatureError):
        prove(header)


def relayed(value: object, unit: str, metric: str = "glucose", **more: str) -> list[float]:
    """What a relayed record becomes once the mapping of polled records has read it."""
    record = {"value": value, "unit": unit, "systemTime": "2026-11-02T06:30:00Z", **more}
    body = json.dumps({"type": "egv", "records": [record]}).encode()
    events = [e for e in hooks.read_relay(body, NOW) if isinstance(e, Event)]
    documents = [d for e in events for d in mapping.egvs(e.payload or {}) if isinstance(d, Document)]
    columns = [series for document in documents for series in document.series if series.metric == metric]
    return [value for series in columns for value in series.values]


@pytest.mark.parametrize(
    ("value", "unit", "mg_dl"),
    [(112, "mg/dL", 112), (6.2, "mmol/L", 111.696658), (39, "mmol/L", 39), (401, "mmol/L", 401), (39, "mg/dL", 39)],
)
def test_relayed_values_arrive_in_mg_dl_and_codes_as_they_are(value: float, unit: str, mg_dl: float) -> None:
    assert relayed(value, unit) == [pytest.approx(mg_dl, abs=1e-9)]


@pytest.mark.parametrize(
    ("value", "unit"),
    [(112, "unknown"), (float("nan"), "mg/dL"), (float("inf"), "mg/dL"), ("112", "mg/dL"), (True, "mg/dL")],
)
def test_what_is_no_quantity_is_not_taken(value: object, unit: str) -> None:
    assert relayed(value, unit) == []


@pytest.mark.parametrize(("trend", "rates"), [("singleDown", [-2]), ("flat", [0]), ("rateOutOfRange", [])])
def test_a_relayed_arrow_is_a_rate(trend: str, rates: list[float]) -> None:
    assert relayed(112, "mg/dL", trend=trend) == [112]
    assert relayed(6.2, "mmol/L", metric="glucose_rate", trend=trend) == rates


def test_a_refused_record_is_named_by_its_place_and_reason() -> None:
    body = json.dumps({"type": "egv", "records": [{"value": 5, "unit": "mmol/L", "systemTime": "2026-11-01T06:30Z"}]})
    assert list(hooks.read_relay(body.encode(), NOW)) == [Skipped(0, "measured over 24 hours ago")]


def test_an_offset_with_seconds_is_rounded_and_still_tells_the_instant() -> None:
    record = {"systemTime": "2026-11-02T23:30:02-06:59:58", "displayTime": "2026-11-02T23:30:02-06:59:58", "value": 90}
    (document,) = (d for d in mapping.egvs({"records": [record]}) if isinstance(d, Document))
    assert document.offset == -420
    assert document.series[0].times == [1793687400000]  # 2026-11-03T06:30:00Z
