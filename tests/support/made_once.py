"""Templates and certificate authorities, made once in a process, not once for each app or client."""

import functools
import ssl
from typing import Any

import certifi
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket


class TemplatesInMemory(BytecodeCache):
    """The templates that any app of this process has compiled."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._compiled:
            bucket.bytecode_from_string(self._compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


_create_context = ssl.create_default_context
_httpx_context = functools.cache(lambda: _create_context(cafile=certifi.where()))


def create_context(*given: Any, **named: Any) -> ssl.SSLContext:
    """Return the context of httpx, which takes 40 ms to make for each of its clients, or make another one."""
    if not given and named == {"cafile": certifi.where()}:
        return _httpx_context()
    return _create_context(*given, **named)
