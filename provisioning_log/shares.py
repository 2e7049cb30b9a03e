"""Whose entries go when the log is full: those of the clients that have most, so that one cannot push out the others'.

All clients share the files, which keeps one file to be followed. Each has the name of its token, which an entry has in
`by`, or what wrote without a token, in `cause`. While there is room, a client may use all of it. When something has to
go, a client that has no more than its share loses nothing, and the others lose their oldest entries.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import orjson


def owner_of(line: bytes) -> str:
    """Return whose entry a line is; lines that are no entries belong together."""
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(body, dict):
        return ""
    by, cause = body.get("by"), body.get("cause")
    return f"token {by}" if isinstance(by, str) else f"cause {cause}" if isinstance(cause, str) else ""


def sizes_by_owner(lines: Iterable[bytes]) -> Counter[str]:
    """Return how many bytes each client's lines have, with their ends."""
    sizes: Counter[str] = Counter()
    for line in lines:
        sizes[owner_of(line)] += len(line) + 1
    return sizes


def share(sizes: Iterable[int], room: int) -> int:
    """Return the size to which each must be cut so that all fit: those that are smaller leave more to the others."""
    ordered = sorted(sizes)
    for number, size in enumerate(ordered):
        fair = room // (len(ordered) - number)
        if size > fair:
            return fair
        room -= size
    return ordered[-1] if ordered else 0


def excess(sizes: Mapping[str, int], room: int) -> Counter[str]:
    """Return how many bytes each client has above its share."""
    fair = share(sizes.values(), room)
    return Counter({owner: size - fair for owner, size in sizes.items() if size > fair})


def without_excess(lines: Iterable[bytes], over: Counter[str]) -> Iterator[bytes]:
    """Yield the lines, oldest first, but for the first of those clients that are over, and count down by how much."""
    for line in lines:
        owner = owner_of(line)
        if over[owner] > 0:
            over[owner] -= len(line) + 1
        else:
            yield line
