"""How a share reads in the claims of findings; the faces write the numbers beside them in the same way."""

import math

__all__ = ["percent"]


def percent(share: float) -> str:
    """A share in per cent: two significant digits below 10 %, whole per cents above, never 100 % before it is all."""
    points = 100 * share
    if 99 < points < 100:
        return f"{min(points, 99.9):.1f} %"
    decimals = 0 if abs(points) >= 10 or points == 0 else 1 - math.floor(math.log10(abs(points)))
    text = f"{points:.{min(decimals, 8)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text.replace('-', '−')} %"
