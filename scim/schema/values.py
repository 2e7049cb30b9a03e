"""Rules for values that every schema shares."""

import re

_UNKEEPABLE = re.compile("[\ud800-\udfff\0]")


def is_keepable(text: str) -> bool:
    """Tell whether the text is free of NUL characters and of halves of surrogate pairs."""
    return text.isprintable() or not _UNKEEPABLE.search(text)
