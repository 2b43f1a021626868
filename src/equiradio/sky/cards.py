"""Cards of a FITS header as numbers and texts. A card that is there and cannot be used is remembered, never taken for absent."""

import math
from typing import Any


class Cards:
    """A header to ask.

    Attributes
    ----------
    unusable : keywords that were asked for, are there, and hold nothing of the kind asked for.
    """

    def __init__(self, header: Any) -> None:
        self.header, self.unusable = header, set[str]()

    def number(self, key: str) -> float | None:
        """A finite number; None where there is none."""
        value = self._value(key)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        number = as_number(value)
        if number is None:
            self.unusable.add(key)
        return number

    def text(self, key: str) -> str:
        """A text without blanks around it, a number as text; empty where there is none."""
        value = self._value(key)
        return "" if value is None else str(value).strip()

    def _value(self, key: str) -> Any:
        from astropy.io.fits.card import Undefined

        try:
            value = self.header.get(key)
        except Exception:  # an illegal card: astropy refuses in several ways
            self.unusable.add(key)
            return None
        return None if isinstance(value, Undefined) else value


def as_number(value: Any) -> float | None:
    """What a card holds as a finite number, digits in quotes too; None where it is none."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
