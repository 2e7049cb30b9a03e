"""URL rules that are compiled once in a process, not once for each app: most of the time of create_app()."""

from typing import ClassVar

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
