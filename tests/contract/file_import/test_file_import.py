"""Every row of a file is kept or reported, nothing is guessed, and no text of any kind breaks the reader."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import BadRequestError, TooLargeError
from shared.model import Document
from shared.providers import FileUpload, RowError, Upload
from shared.providers.file_import import parsing
from shared.providers.file_import.mapping import glucose
from shared.providers.file_import.parsing import Parsed, Row, parse, payload
from shared.providers.file_import.spec import PROVIDER

AT = 1793601000000  # 2026-11-02T06:30:00Z
GOOD = "2026-11-02T07:30:00+01:00"


def from_csv(*lines: str, zone: str | None = None, end: str = "\n") -> Parsed:
    return parse(end.join(lines).encode(), "text/csv", zone)


def from_json(content: Any, zone: str | None = None) -> Parsed:
    return parse(json.dumps(content).encode(), "application/json", zone)


def one(time: str | float, zone: str | None = None) -> Row | RowError:
    """What became of a reading at this time."""
    parsed = from_json([{"glucose": 100, "timestamp": time}], zone)
    outcomes: list[Row | RowError] = [*parsed.rows, *parsed.errors]
    assert len(outcomes) == 1
    return outcomes[0]


# ---------------------------------------------------------------- good files


def test_a_file_in_mg_dl() -> None:
    parsed = from_csv("glucose,unit,timestamp", f"112,mg/dL,{GOOD}", "98.5,MG/DL,2026-11-02T05:35:00-01:00")
    assert parsed.errors == []
    assert parsed.rows == [Row(2, AT, 60, 112, "mg/dL"), Row(3, AT + 300_000, -60, 98.5, "mg/dL")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_mark_line_ends_blank_lines_and_other_columns_do_not_matter(end: str) -> None:
    head = "\ufeff DATE ,note, Value"
    parsed = from_csv(head, "", ",,", f'{GOOD},"before\nbreakfast, of course",112', "", f"{GOOD},,112", end=end)
    assert [(row.line, row.mg_dl) for row in parsed.rows] == [(4, 112), (7, 112)]
    assert parsed.errors == []


@pytest.mark.parametrize(
    ("head", "line", "mg_dl"),
    [
        ("timestamp;glucose;unit", f"{GOOD};5,6;mmol/L", 100.887304),
        ("timestamp;glucose;unit", f"{GOOD};5.6;mmol/L", 100.887304),
        ("timestamp\tglucose\tunit", f"{GOOD}\t5.6\tmmol/l", 100.887304),
        ('"timestamp","glucose"', f'"{GOOD}","112"', 112),
    ],
)
def test_the_delimiter_is_the_headers(head: str, line: str, mg_dl: float) -> None:
    (row,) = from_csv(head, line).rows
    assert row.at_ms == AT
    assert row.mg_dl == pytest.approx(mg_dl, abs=1e-9)


@pytest.mark.parametrize("wrap", [None, "readings", "records", "data"])
def test_json_is_a_list_or_an_object_with_one(wrap: str | None) -> None:
    records: list[Any] = [
        {"value": 6.2, "unit": "mmol/L", "date": AT // 1000},
        {"Glucose": "112", "timestamp": AT + 1},
        7,
    ]
    parsed = from_json(records if wrap is None else {wrap: records})
    assert parsed.rows == [Row(1, AT, None, 6.2 * 18.01559, "mmol/L"), Row(2, AT + 1, None, 112, "mg/dL")]
    assert parsed.errors == [RowError(3, "", "not an object")]


def test_the_provider_reads_a_file_into_what_its_mapping_reads() -> None:
    assert isinstance(PROVIDER.auth, FileUpload)
    body = b"glucose,timestamp\n112,2026-11-02T07:30\nLow,2026-11-02T07:35"
    rows = [{"at": AT, "offset": 60, "mg_dl": 112.0, "unit": "mg/dL"}]
    errors = (RowError(3, "glucose", "not a number"),)
    assert PROVIDER.auth.read(body, "text/csv", "Europe/Berlin", "") == Upload({"rows": rows}, 1, errors)
    with pytest.raises(BadRequestError, match="time zone database"):
        PROVIDER.auth.read(body, "text/csv", "Europe/Atlantis", "")


# ---------------------------------------------------------------- times

CLOCKS_CHANGED = "the clocks changed then: this time came twice or never; use an offset"


@pytest.mark.parametrize(
    ("time", "zone", "at", "offset"),
    [
        (GOOD, None, AT, 60),
        (GOOD, "America/New_York", AT, 60),
        ("2026-11-02 07:30+0100", None, AT, 60),
        ("2026-11-02 07:30:00.250 +01", None, AT + 250, 60),
        ("2026-11-02T06:30:00Z", None, AT, None),
        ("2026-11-02t06:30:00z", "Europe/Berlin", AT, 60),
        ("2026-11-02T07:30", "Europe/Berlin", AT, 60),
        ("2026-06-02T08:30:00", "Europe/Berlin", 1780381800000, 120),
        (AT, None, AT, None),
        (AT / 1000, "Asia/Kolkata", AT, 330),
        (str(AT), None, AT, None),
        (AT / 1000 + 0.5, None, AT + 500, None),
    ],
)
def test_times_that_say_when(time: str | float, zone: str | None, at: int, offset: int | None) -> None:
    assert one(time, zone) == Row(1, at, offset, 100, "mg/dL")


@pytest.mark.parametrize(
    ("time", "zone", "because"),
    [
        ("03/04/2026 07:30", "Europe/Berlin", "ambiguous date; use ISO 8601"),
        ("25.12.2026 07:30", "Europe/Berlin", "ambiguous date; use ISO 8601"),
        ("3-4-26", "Europe/Berlin", "ambiguous date; use ISO 8601"),
        ("2026-11-02", "Europe/Berlin", "not an ISO 8601 date and time"),
        ("2026-02-30T07:30:00Z", None, "no such date or time of day"),
        ("2026-11-02T07:30:00", None, "no offset, and the upload names no zone"),
        ("2026-10-25T02:30:00", "Europe/Berlin", CLOCKS_CHANGED),
        ("2026-03-29T02:30:00", "Europe/Berlin", CLOCKS_CHANGED),
        ("2026-11-02T07:30:00+23:00", None, "nowhere on Earth is the offset that large"),
        ("1926-11-02T07:30:00Z", None, "not between the years 1980 and 2099"),
        ("20261102", None, "not between the years 1980 and 2099"),
        ("", None, "missing"),
    ],
)  # fmt: skip
def test_times_that_do_not(time: str, zone: str | None, because: str) -> None:
    assert one(time, zone) == RowError(1, "timestamp", because)


def test_the_hours_around_a_change_of_clocks_are_read() -> None:
    lines = [f"100,2026-10-25T{hour}" for hour in ("01:59:59", "03:00:00")]
    rows = from_csv("glucose,timestamp", *lines, zone="Europe/Berlin").rows
    assert [row.offset_min for row in rows] == [120, 60]
    assert rows[1].at_ms - rows[0].at_ms == 2 * 3_600_000 + 1000


# ---------------------------------------------------------------- bad rows


@pytest.mark.parametrize(
    ("glucose", "unit", "column", "because"),
    [
        ("19.9", "mg/dL", "glucose", "outside 20 to 600 mg/dL"),
        ("600.1", "", "glucose", "outside 20 to 600 mg/dL"),
        ("1.0", "mmol/L", "glucose", "outside 1.1 to 33.3 mmol/L"),
        ("33.4", "mmol/L", "glucose", "outside 1.1 to 33.3 mmol/L"),
        ("5.6", "", "glucose", "outside 20 to 600 mg/dL"),
        ("Low", "", "glucose", "not a number"),
        ("nan", "", "glucose", "not a number"),
        ("1_00", "", "glucose", "not a number"),
        ("", "", "glucose", "missing"),
        ("112", "mg", "unit", "neither mg/dL nor mmol/L"),
    ],
)
def test_a_bad_row_is_reported_and_its_neighbours_kept(glucose: str, unit: str, column: str, because: str) -> None:
    parsed = from_csv(
        "glucose,unit,timestamp", f"112,,{GOOD}", f"{glucose},{unit},{GOOD}", "113,,2026-11-02T07:35:00+01:00"
    )
    assert [row.line for row in parsed.rows] == [2, 4]
    assert parsed.errors == [RowError(3, column, because)]


@pytest.mark.parametrize(("value", "unit"), [(20, "mg/dL"), (600, "mg/dL"), (1.1, "mmol/L"), (33.3, "mmol/L")])
def test_the_ends_of_each_range_are_good_in_their_own_unit(value: float, unit: str) -> None:
    assert from_json([{"glucose": value, "unit": unit, "timestamp": AT}]).errors == []


def test_the_files_own_column_is_named_and_short_rows_miss_it() -> None:
    parsed = from_csv("date,value", GOOD, f"x,{100}")
    assert parsed.errors == [
        RowError(2, "value", "missing"),
        RowError(3, "date", "not an ISO 8601 date and time"),
    ]


def test_a_decimal_comma_does_not_leave_half_a_number() -> None:
    parsed = from_csv("timestamp,glucose", f"{GOOD},105,4", f"{GOOD},105,")
    assert [row.line for row in parsed.rows] == [3]
    assert parsed.errors == [RowError(2, "", "more cells than the header has columns")]


@pytest.mark.parametrize("value", [100, 120])
def test_of_two_values_at_one_instant_the_later_line_is_believed(value: int) -> None:
    earlier, later = f"{value},{GOOD}", "110,2026-11-02T06:30:00Z"
    parsed = from_csv("glucose,timestamp", earlier, later, "bad,", later)
    assert [row.line for row in parsed.rows] == [3, 5]
    assert parsed.errors == [RowError(2, "", "same time as line 5"), RowError(4, "glucose", "not a number")]
    documents = [item for item in glucose(payload(parsed)) if isinstance(item, Document)]
    assert [(d.series[0].times, d.series[0].values) for d in documents] == [((AT,), (110.0,))]


# ---------------------------------------------------------------- bad files


@pytest.mark.parametrize(
    ("body", "media_type", "because"),
    [
        (b"", "text/csv", "empty"),
        (b"\xef\xbb\xbf \r\n", "text/csv", "empty"),
        (b"\xff\xfeg", "text/csv", "not UTF-8"),
        (b"glucose,timestamp\r\n", "text/csv", "no readings"),
        (b"112,2026-11-02T06:30:00Z", "text/csv", "no column glucose or value"),
        (b"glucose,when\n1,2", "text/csv", "no column timestamp or date"),
        (b"glucose,glucose,date\n1,2,3", "text/csv", "twice"),
        (b',,\n,', "text/csv", "no column"),
        (b'glucose,timestamp\n100,1793601000\n"112,1793601300\n113,1793601600', "text/csv", "not CSV from line 3"),
        (b"[]", "application/json", "no readings"),
        (b"{}", "application/json", "neither a list"),
        (b'{"data":7}', "application/json", "neither a list"),
        (b'[{"glucose":112]', "application/json", "not JSON at line 1"),
        (b"[" * 100_000, "application/json", "not JSON"),
        (b"glucose,timestamp\n112,1793601000", "application/pdf", "one of text/csv, application/json"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(body: bytes, media_type: str, because: str) -> None:
    with pytest.raises(BadRequestError, match=because):
        parse(body, media_type, None)


@pytest.mark.parametrize("zone", ["", "Europe", "Europe/Atlantis", "../../etc/passwd", "x" * 300])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(BadRequestError, match="time zone database"):
        from_csv("glucose,timestamp", f"112,{GOOD}", zone=zone)


def test_a_file_too_large_is_refused() -> None:
    rows = [f"112,{1_700_000_000 + n}" for n in range(parsing.MAX_ROWS)]
    assert len(from_csv("glucose,timestamp", *rows).rows) == parsing.MAX_ROWS
    with pytest.raises(TooLargeError, match="rows"):
        from_csv("glucose,timestamp", *rows, "112,1")
    with pytest.raises(TooLargeError, match="MB"):
        parse(b" " * (parsing.MAX_BYTES + 1), "text/csv", None)


def test_a_charset_beside_the_media_type_is_no_other_type() -> None:
    assert parse(f"glucose,date\n112,{GOOD}".encode(), "Text/CSV; charset=utf-8", None).rows


# ---------------------------------------------------------------- whatever is written in it

TEXTS = st.text(max_size=40) | st.sampled_from(
    ["112", "5.6", "mmol/L", "glucose,timestamp\n1,2", GOOD, "0001-01-01T00:00", "9999-12-31T23:59:59", '"', "[{}]"]
)


@settings(deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode), st.sampled_from(list(parsing.READERS)), TEXTS)
def test_no_bytes_raise_anything_but_a_bad_request(body: bytes, media_type: str, zone: str) -> None:
    try:
        parse(body, media_type, zone)
    except BadRequestError:
        return


def check_every_row_is_accounted_for(parsed: Parsed, rows: int) -> None:
    assert len(parsed.rows) + len(parsed.errors) == rows
    for item in glucose(payload(parsed)):
        assert isinstance(item, Document)


ZONES = st.sampled_from([None, "Europe/Berlin", "Pacific/Kiritimati", "America/New_York"])


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=8), st.sampled_from(",;\t"), ZONES)
@example([("112", "", "0001-01-01T00:00")], ",", "Europe/Berlin")
@example([("112", "", "9999-12-31T23:59:59")], ",", "America/New_York")
def test_every_row_of_a_csv_is_kept_or_reported(table: list[tuple[str, ...]], delimiter: str, zone: str | None) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("glucose", "unit", "timestamp"), ("100", "mg/dL", GOOD), *table])
    filled = [row for row in table if any(map(str.strip, row))]
    parsed = parse(text.getvalue().encode(), "text/csv", zone)
    check_every_row_is_accounted_for(parsed, 1 + len(filled))


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
RECORDS = st.dictionaries(
    st.sampled_from(["glucose", "value", "unit", "timestamp", "date", "x"]), VALUES | st.lists(VALUES)
)


@settings(deadline=None)
@given(st.lists(RECORDS | VALUES, min_size=1, max_size=8), ZONES)
def test_every_record_of_a_json_is_kept_or_reported(records: list[Any], zone: str | None) -> None:
    try:
        parsed = from_json(records, zone)
    except BadRequestError:  # an integer of over 64 bits is no JSON to us
        assert any(not -(2**63) <= number < 2**64 for number in integers(records))
        return
    check_every_row_is_accounted_for(parsed, len(records))


def integers(value: Any) -> list[int]:
    if isinstance(value, dict | list):
        return [n for part in (value.values() if isinstance(value, dict) else value) for n in integers(part)]
    return [value] if isinstance(value, int) else []
