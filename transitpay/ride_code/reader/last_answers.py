"""What a code was answered here just now, to be said again while its rider still holds it up."""

from __future__ import annotations

from dataclasses import dataclass, field

from transitpay.ride_code.reader.effects import Show
from transitpay.ride_code.verdict import ReplayKey


@dataclass(slots=True)
class LastAnswers:
    """Answers of codes that were accepted, for as long as the debounce lasts."""

    _shown: dict[ReplayKey, tuple[int, Show]] = field(default_factory=dict)

    def remember(self, key: ReplayKey, monotonic_ms: int, shown: Show) -> None:
        """This was shown for a scan that began at this moment."""
        self._shown[key] = (monotonic_ms, shown)

    def within(self, key: ReplayKey, monotonic_ms: int, debounce_ms: int) -> Show | None:
        """What this code was answered at most ``debounce_ms`` ago; older answers are forgotten."""
        while self._shown:
            oldest = next(iter(self._shown))
            if monotonic_ms - self._shown[oldest][0] <= debounce_ms:
                break
            del self._shown[oldest]
        found = self._shown.get(key)
        return None if found is None else found[1]

    def forget(self, key: ReplayKey) -> None:
        """Nothing came of that answer."""
        self._shown.pop(key, None)
