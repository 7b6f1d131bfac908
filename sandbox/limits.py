"""A vendor's rate limit: a count of what arrived in the last seconds, for the app or for each person."""

import math
import time
from collections import defaultdict, deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    calls: int
    seconds: int
    whose: str = "app"  # or "user"


class Meter:
    """Counts everything that arrives, refused or not, as strict vendors do."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.most = self.above = 0
        self._arrived: defaultdict[str, deque[float]] = defaultdict(deque)

    def refuse_for(self, person: str) -> int:
        """In how many seconds one more call would be in order; 0 for the one that has just arrived."""
        now, arrived = time.time_ns() / 1e9, self._arrived[person if self.limit.whose == "user" else ""]
        arrived.append(now)
        while arrived[0] < now - self.limit.seconds:
            arrived.popleft()
        self.most = max(self.most, len(arrived))
        if len(arrived) <= self.limit.calls:
            return 0
        self.above += 1
        return math.ceil(arrived[-self.limit.calls] + self.limit.seconds - now) or 1

    def seen(self) -> dict[str, object]:
        return {**vars(self.limit), "most": self.most, "above": self.above}
