"""URL rules and templates that are compiled once in a process, not once for each app: most of what an app costs."""

from typing import ClassVar

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

MADE = ("arguments", "_parts", "_trace", "_converters", "_build", "_build_unknown")


class CompiledOnce(Rule):
    """Takes what compile() has made of an equal rule, which refers to nothing of its app."""

    _compiled: ClassVar[dict[object, dict[str, object]]] = {}

    def compile(self) -> None:
        key = self.rule, repr(self.defaults), self.subdomain, self.host, self.strict_slashes, self.merge_slashes
        if key not in self._compiled:
            super().compile()
            self._compiled[key] = {name: vars(self)[name] for name in MADE}
        vars(self).update(self._compiled[key])


class TemplatesInMemory(BytecodeCache):
    """The templates that any app of this process has compiled."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._compiled:
            bucket.bytecode_from_string(self._compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()
