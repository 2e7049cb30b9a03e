"""Fair shares: when the log is full, the clients with the most entries lose their oldest ones.

A client is identified by its token's name (`by`), or by the `cause` of an entry without a token; recorded reads count
as one client, so that they evict no changes. While there is space,
a client may use all of it. When the log is full, clients within their share lose nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import orjson


def owner_of(line: bytes) -> str:
    """Return the client of a line; all invalid lines have the same one."""
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(body, dict):
        return ""
    if body.get("actions") == ["read"]:
        return "reads"
    by, cause = body.get("by"), body.get("cause")
    return f"token {by}" if isinstance(by, str) else f"cause {cause}" if isinstance(cause, str) else ""


def sizes_by_owner(lines: Iterable[bytes]) -> Counter[str]:
    """Return the size of each client's lines, including line ends."""
    sizes: Counter[str] = Counter()
    for line in lines:
        sizes[owner_of(line)] += len(line) + 1
    return sizes


def fair_share(sizes: Iterable[int], limit: int) -> int:
    """Return the size to which each must be cut so that all fit; smaller ones leave more to the others."""
    ordered = sorted(sizes)
    for number, size in enumerate(ordered):
        fair = limit // (len(ordered) - number)
        if size > fair:
            return fair
        limit -= size
    return ordered[-1] if ordered else 0


def excess(sizes: Mapping[str, int], limit: int) -> Counter[str]:
    """Return how many bytes each client has above its share."""
    fair = fair_share(sizes.values(), limit)
    return Counter({owner: size - fair for owner, size in sizes.items() if size > fair})


def without_excess(lines: Iterable[bytes], over: Counter[str]) -> Iterator[bytes]:
    """Yield the lines except the first of each client above its share, and subtract those from `over`."""
    for line in lines:
        owner = owner_of(line)
        if over[owner] > 0:
            over[owner] -= len(line) + 1
        else:
            yield line
