"""What can be made to go wrong, how often, and where: each fault is used up by the calls or events it hits."""

from dataclasses import dataclass

REQUEST_FAULTS = ("rate_limit", "server_error", "nonsense", "slow", "expire_tokens")
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

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

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
