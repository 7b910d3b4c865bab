"""Numbers as a reader wants them, in plain ASCII; the page turns hyphens before digits into minus signs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

NONE = "-"
BYTE_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def percent(fraction: float | None, digits: int = 1) -> str:
    """Write 0.812 as ``81.2 %``."""
    return NONE if fraction is None or not math.isfinite(fraction) else f"{_fixed(100 * fraction, digits)} %"


def spread(fraction: float | None, digits: int = 1) -> str:
    """Write a standard deviation of 0.008 as `` ± 0.8``; nothing where there is none."""
    return "" if fraction is None else f" ± {_fixed(100 * fraction, digits)}"


def points(difference: float, signed: bool = True, digits: int = 1) -> str:
    """Write a difference of fractions in percentage points, as ``+14.9``."""
    text = _fixed(100 * difference, digits)
    return f"+{text}" if signed and not text.startswith("-") and float(text) != 0 else text


def interval(ends: Sequence[float], signed: bool = True) -> str:
    """Write an interval of a difference in percentage points, as ``+12.1 to +17.7``."""
    return " to ".join(points(end, signed) for end in ends)


def gap(difference: float) -> str:
    """Write how far two accuracies are apart, without its sign, as ``14.9 points``."""
    text = points(abs(difference), signed=False)
    return f"{text} points"


def placed(difference: float, other: str) -> str:
    """Write where an accuracy stands, as ``14.9 points above fedavg``."""
    if gap(difference) == gap(0):
        return f"level with {other}"
    return f"{gap(difference)} {'above' if difference > 0 else 'below'} {other}"


def gap_interval(difference: float, ends: Sequence[float] | None) -> str:
    """Write the interval that belongs to `gap`, as `` (95 % interval 12.1 to 17.7)``; nothing where there is none."""
    if ends is None:
        return ""
    near, far = ends if difference >= 0 else (-ends[1], -ends[0])
    return f" (95 % interval {interval((near, far), signed=False)})"


def probability(value: float | None) -> str:
    """Write a p value; very small ones as a bound."""
    if value is None:
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def size(count: float | None) -> str:
    """Write a number of bytes in units of 1000, as ``1.90 MB``."""
    if count is None:
        return NONE
    unit = 0
    while unit < len(BYTE_UNITS) - 1 and count >= 999.5:
        count, unit = count / 1000, unit + 1
    return f"{count:.0f} {BYTE_UNITS[0]}" if unit == 0 else f"{f'{count:#.3g}'.rstrip('.')} {BYTE_UNITS[unit]}"


def short_size(count: float) -> str:
    """Write a round number of bytes for an axis, as ``5 MB``."""
    unit = 0
    while unit < len(BYTE_UNITS) - 1 and count >= 1000:
        count, unit = count / 1000, unit + 1
    return f"{count:.3g} {BYTE_UNITS[unit]}" if count else "0"


def duration(seconds: float | None) -> str:
    """Write a time, as ``4.2 s``, ``3 min 5 s`` or ``2 h 10 min``."""
    if seconds is None:
        return NONE
    if seconds < 59.95:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def number(value: float | None) -> str:
    """Write a number with at most four significant digits; whole ones with commas between thousands."""
    if value is None:
        return NONE
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.4g}"


def count(amount: int, noun: str, plural: str | None = None) -> str:
    """Write an amount with its noun, as ``1 seed`` or ``3 seeds``."""
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"


def listed(words: Iterable[str]) -> str:
    """Join words as ``a, b and c``."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"


def shortened(names: Sequence[str], width: int) -> list[str]:
    """Cut long names where most of them stay different: at the end, at the start, or in the middle."""
    head = (width - 1) // 2
    cuts: list[Callable[[str], str]] = [
        lambda name: f"{name[: width - 1]}…",
        lambda name: f"…{name[1 - width :]}",
        lambda name: f"{name[:head]}…{name[head + 1 - width :]}",
    ]
    tried = [[cut(name) if len(name) > width else name for name in names] for cut in cuts]
    return max(tried, key=lambda labels: len(set(labels)))


def _fixed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text
