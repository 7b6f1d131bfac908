"""The items of a push, each judged by itself: what its mapping reads, and what is to be said of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shared.filing import in_range
from shared.model import DAY, Document, Item, Skipped, instant
from shared.providers import Provider
from shared.push_shapes import PushDelete, PushItem, PushResult
from shared.values import dataclass, field

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass
class Read:
    """What is in a batch: by resource what its mapping reads, and of each item what is to be said of it."""

    source: Provider
    types: Mapping[str, str]
    as_of: int
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def part(self, resource: str) -> dict[str, Any]:
        return self.parts.setdefault(resource, {"received": self.as_of, "upserts": [], "deletes": []})

    def upsert(self, raw: Any) -> PushResult:
        item, fault = checked(PushItem, raw)
        if item is None:
            return fault
        name = self.types.get(item.type)
        fault = replaced(fault, *self.wrong(item, name, raw))
        if fault.status == "accepted" and name:
            self.part(name)["upserts"].append(raw)
        return fault

    def wrong(self, item: PushItem, name: str | None, raw: Any) -> tuple[str, str]:
        """The field at fault and why; ("", "") of an item that is good."""
        if name is None:
            return "type", f"not a type that {self.source.name} is read for"
        if instant(item.end or item.start)[0] > self.as_of + DAY:
            return "end" if item.end else "start", "not over yet"
        return unmapped(self.source.resource(name).map({name: {"upserts": [raw]}}))

    def delete(self, raw: Any) -> PushResult:
        item, fault = checked(PushDelete, raw)
        if item is None:
            return fault
        if item.type and item.type not in self.types:
            return replaced(fault, "type", f"not a type that {self.source.name} is read for")
        for name in [self.types[item.type]] if item.type else [r.name for r in self.source.resources]:
            self.part(name)["deletes"].append(item.source_id)
        return fault


def checked(shape: type[Shape], raw: Any) -> tuple[Shape | None, PushResult]:
    id_ = str(raw.get("source_id", ""))[:128] if isinstance(raw, dict) else ""
    try:
        return shape.model_validate(raw), PushResult(source_id=id_, status="accepted")
    except ValidationError as error:
        where, why = fault_of(error, "source_id")
        return None, PushResult(source_id=id_, status="rejected", field=where, message=why)


def fault_of(error: ValidationError, whole: str) -> tuple[str, str]:
    """The first field at fault, and why; never what it holds."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(part for part in first["loc"] if isinstance(part, str))
    return where or whole, first["msg"].removeprefix("Value error, ")


def replaced(result: PushResult, where: str, why: str) -> PushResult:
    return PushResult(source_id=result.source_id, status="rejected", field=where, message=why) if why else result


def unmapped(items: Iterable[Item]) -> tuple[str, str]:
    """Why the mapping makes nothing of an item: it is asked here as the worker will ask it."""
    for item in items:
        if isinstance(item, Skipped):
            return item.field, item.reason
        if isinstance(item, Document):
            kept, dropped = in_range(item)
            if dropped and not (kept.readings or any(s.times for s in kept.series) or kept.episode):
                return "value", f"{dropped[0].reason} of {dropped[0].field}"
    return "", ""
