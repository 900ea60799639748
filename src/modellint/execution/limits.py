"""The loss of accuracy that may be accepted, and whether outputs stay within it."""

from __future__ import annotations

from collections.abc import Iterable

from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.execution.comparing import Deviation

ROUNDING = 1e-9
EXAMPLE = "examples: top1=1%, cosine=0.01, sqnr=20"


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that outputs may lose, in one measure."""

    measure: str
    """``top1``: share of rows whose largest element moves; ``cosine``: distance of the cosine from
    1; ``sqnr``: least ratio of signal to noise in dB."""
    value: float

    def __str__(self) -> str:
        if self.measure == "sqnr":
            return f"at least {self.value:g} dB of signal over noise"
        if self.measure == "top1":
            return f"at most {100 * self.value:g}% of rows with another largest element"
        return f"a cosine of at least {1 - self.value:g}"

    def holds(self, deviations: Iterable[Deviation]) -> bool:
        """Return True if all outputs stay within the limit, and are numbers where they were."""
        return all(
            each.same_nonfinite and self.allows(each.sqnr, each.cosine, each.top1)
            for each in deviations
        )

    def allows(self, sqnr: float | None, cosine: float | None, top1: float | None) -> bool:
        """Return True for an output with these figures; None for an unknown or undefined one."""
        if self.measure == "sqnr":
            return sqnr is not None and sqnr >= self.value
        if self.measure == "cosine":
            return cosine is not None and cosine >= 1 - self.value - ROUNDING
        return top1 is None or top1 >= 1 - self.value - ROUNDING


def parse_limit(text: str) -> Limit:
    """Parse ``top1=1%``, ``cosine=0.01`` or ``sqnr=20``."""
    measure, _, number = text.partition("=")
    share = number.endswith("%")
    try:
        value = float(number.removesuffix("%").removesuffix("dB"))
    except ValueError:
        value = -1.0
    value = value / 100 if share else value
    is_known = measure in ("top1", "cosine", "sqnr") and not (share and measure == "sqnr")
    if not is_known or not 0 <= value < (1000 if measure == "sqnr" else 1.0001):
        raise UsageError(f"invalid limit {text!r} ({EXAMPLE})")
    return Limit(measure, value)
