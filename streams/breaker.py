"""Whether a service that fails is asked at all: closed it is, open it is not for a while, then one question tries it out (half-open).

Source: M. Nygard, Release It!, 2nd edition, 2018, chapter 5, "Circuit Breaker". Pure: the clock is an argument, in seconds, and never
goes back.
"""

from dataclasses import dataclass
from typing import Final

FAILURES_MAX: Final = 3  # in a row: then it is open
OPEN_S: Final = 5.0


@dataclass(slots=True)
class Breaker:
    """Of one service. `until_s` is when it is tried out, or, with `probing`, until when the one who tries has to say how it went."""

    failures: int = 0
    until_s: float = 0.0
    probing: bool = False

    def lets(self, now_s: float, longest_s: float) -> bool:
        """Whether to ask now. Who was let must tell `answered` or `failed` within `longest_s`, else another one tries it out."""
        if self.failures < FAILURES_MAX:
            return True
        if now_s < self.until_s:
            return False
        self.probing, self.until_s = True, now_s + longest_s
        return True

    def answered(self) -> None:
        """It gave a good answer."""
        self.failures, self.probing = 0, False

    def failed(self, now_s: float) -> None:
        """It gave none, or a wrong one. Late news of questions from before it opened do not keep it open for longer."""
        self.failures = min(self.failures + 1, FAILURES_MAX)
        if self.failures == FAILURES_MAX and (self.probing or now_s >= self.until_s):
            self.until_s, self.probing = now_s + OPEN_S, False
