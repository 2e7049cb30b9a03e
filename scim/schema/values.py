"""Rules that every value follows, whatever its attribute."""

import re
from typing import Any

_NOT_STORABLE = re.compile("[\ud800-\udfff\0]")


def is_unassigned(value: Any) -> bool:
    """Return whether an attribute with this value has no value: null and empty ones (RFC 7643 section 2.5).

    An empty string is a value here; a filter's `pr` and the dialect decide about it for themselves.
    """
    return value is None or value == [] or value == {}


def is_storable_text(text: str) -> bool:
    """Return whether the text is free of NUL characters and of halves of surrogate pairs.

    Nearly every text is printable, which is faster to find out.
    """
    return text.isprintable() or not _NOT_STORABLE.search(text)
