"""What can be made to go wrong, how often, and where: each fault is used up by the calls or events it hits."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

REQUEST_FAULTS = ("rate_limit", "server_error", "gone", "nonsense", "slow", "expire_tokens")
WEBHOOK_FAULTS = ("drop_webhooks", "duplicate_webhooks", "reorder_webhooks")
KINDS = (*REQUEST_FAULTS, *WEBHOOK_FAULTS)


@dataclass
class Fault:
    kind: str
    times: int = 1
    retry_after: int = 2
    seconds: float = 3.0
    path: str = ""


class Faults:
    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self.drawn: Counter[str] = Counter()  # by the weather, so far
        self._chances: Mapping[str, float] = {}
        self._rng = Random(0)

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def weather(self, chances: Mapping[str, float], seed: str) -> None:
        """From now on each call, and each event, has these chances of going wrong. Raises ValueError."""
        wrong = [kind for kind, chance in chances.items() if kind not in KINDS or not 0 <= chance <= 1]
        if wrong:
            raise ValueError(f"not a fault with a chance between 0 and 1: {', '.join(wrong)}")
        self._chances, self._rng = dict(chances), Random(seed)

    def draw(self, kinds: tuple[str, ...]) -> Fault | None:
        """At most one fault, as the weather is."""
        luck = self._rng.random()
        for kind in kinds:
            luck -= self._chances.get(kind, 0.0)
            if luck < 0:
                self.drawn[kind] += 1
                return Fault(kind, retry_after=1)
        return None

    def waiting(self) -> list[Fault]:
        return list(self._waiting)

    def take(self, kinds: tuple[str, ...], label: str) -> Fault | None:
        """Use up one turn of the oldest fault of these kinds whose path is part of the label."""
        for fault in self._waiting:
            if fault.kind in kinds and fault.path in label:
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                return fault
        return None
