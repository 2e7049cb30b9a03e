"""Parse JSON that is written again later. A module of its own because five others need it and share nothing else."""

import json
from typing import Any


def loads(text: str | bytes) -> Any:
    """Parse JSON. Raises ValueError also for values that Python parses but cannot write, such as NaN."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("a string contains half a surrogate pair") from None
    return value
