"""Reading what a vendor sent: dotted paths, and mappings of one record lifted to the vendor's envelope."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from itertools import compress
from typing import Any, TypeAlias

from shared.errors import ProviderChangedError, SkipRecordError
from shared.model import Item, Skipped

Json: TypeAlias = Mapping[str, Any]
Map: TypeAlias = Callable[[Json], Iterable[Item]]


def dig(reply: Any, path: str) -> Any:
    """The value at a dotted path, or None. An empty path is the reply itself."""
    for key in filter(None, path.split(".")):
        reply = reply.get(key) if isinstance(reply, dict) else None
    return reply


def bury(value: Any, path: str) -> Any:
    """The opposite of `dig`: the envelope that holds `value` at `path`."""
    for key in reversed([key for key in path.split(".") if key]):
        value = {key: value}
    return value


def integers(told: Collection[str]) -> list[int]:
    """Read at once, in a quarter of the time that `int` takes for each. Raises ValueError or TypeError."""
    import orjson  # not by a door, which reads no samples

    found: list[int] = orjson.loads(f"[{','.join(told)}]")
    if type(sum(found)) is not int or len(found) != len(told):
        raise ValueError("not all of them are integers")
    return found


def regular(start: int, step: int, values: Sequence[Any]) -> tuple[Sequence[int], Sequence[float]]:
    """Instants and values of samples `step` milliseconds apart, the first at `start`, less those that are not told:
    most of these come before the first that is or after the last."""
    begin, end = 0, len(values)
    while end and values[end - 1] is None:
        end -= 1
    while begin < end and values[begin] is None:
        begin += 1
    times, told = range(start + begin * step, start + end * step, step), values[begin:end]
    if None not in set(told):
        return times, told
    there = [value is not None for value in told]
    return [*compress(times, there)], [*compress(told, there)]


def per_record(path: str, may_lack: bool = False) -> Callable[[Map], Map]:
    """Lifts a mapping of one record to the vendor's envelope; a record that makes no sense is skipped, not fatal.

    `may_lack`: the vendor leaves an empty list out."""

    def lift(map_record: Map) -> Map:
        @wraps(map_record)
        def map_page(reply: Json) -> Iterator[Item]:
            records = dig(reply, path)
            if records is None and may_lack and isinstance(reply, Mapping):
                return
            if not isinstance(records, list):
                raise ProviderChangedError(f"the reply holds no list at {path!r}")
            for index, record in enumerate(records):
                yield from attempt(index, map_record, record)

        return map_page

    return lift


def attempt(index: int, map_record: Map, record: Json) -> list[Item]:
    """The record's items, or one `Skipped` that names the field and never the value."""
    try:
        return list(map_record(record))
    except KeyError as missing:
        return [Skipped(index, "missing field", str(missing.args[0]))]
    except SkipRecordError as reason:
        return [Skipped(index, str(reason), reason.field)]
    except (TypeError, ValueError, AttributeError, ArithmeticError) as wrong:
        return [Skipped(index, f"unreadable record ({type(wrong).__name__})")]
