"""Rules for values that every schema shares."""

import re

_NOT_STORABLE = re.compile("[\ud800-\udfff\0]")


def is_storable_text(text: str) -> bool:
    """Tell whether the text is free of NUL characters and of halves of surrogate pairs."""
    return text.isprintable() or not _NOT_STORABLE.search(text)
