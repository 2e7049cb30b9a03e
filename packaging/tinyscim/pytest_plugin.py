"""pytest fixtures: a SCIM service for tests, and Entra's provisioning service against an endpoint under test."""

import os
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from entra.provisioning_log import ProvisioningLog
    from entra.validate.cases import Case
    from tinyscim.testing import Server

OPTIONS = {
    "tinyscim_config": "A TOML file with the configuration of tinyscim_server.",
    "tinyscim_store": "Where tinyscim_server keeps its data: memory (default) or file.",
    "tinyscim_url": "The SCIM base URL of the endpoint that tinyscim_entra tests.",
    "tinyscim_token": "Its token. The environment variable SCIM_TOKEN has precedence.",
    "tinyscim_mapping": "The attribute mapping of tinyscim_entra: entra (default) or idmelon.",
}
MARKER = "tinyscim(url, token, cases, dialects): the endpoint of tinyscim_entra, and the cases of tinyscim_case."


class ValidationCase(NamedTuple):
    """A case of the validation, and the dialect in which it runs: L, or F for aadOptscim062020."""

    case: "Case"
    dialect: str


class Entra:
    """Entra's provisioning service against one endpoint. Syncs continue from each other, as Entra's cycles do."""

    def __init__(self, url: str, token: str, mapping: str = "entra") -> None:
        from entra.client import Endpoint, HttpOptions
        from entra.mapping import entra_defaults, idmelon_defaults
        from entra.state import State

        self._endpoint = Endpoint(url, token, HttpOptions(rate=0))
        self._mappings = {"entra": entra_defaults, "idmelon": idmelon_defaults}[mapping]()
        self._state = State(url=self._endpoint.base)

    def tenant(self, users: int = 10, groups: int = 2, seed: int = 1) -> dict[str, Any]:
        """Return a made-up tenant. Change it between two syncs as an administrator would."""
        from entra import demo, tenant

        return tenant.to_json(demo.generate(users, groups, seed))

    def sync(self, tenant: Mapping[str, Any]) -> "ProvisioningLog":
        """Provision a tenant in one cycle, and return its log: `actions`, `errors`, `requests`.

        Raises AssertionError if Entra could not provision an object.
        """
        from entra.cycle import Cycle, CycleStoppedError
        from entra.dialect import Dialect
        from entra.provisioning_log import ProvisioningLog
        from entra.tenant import from_json

        log, dialect = ProvisioningLog(), Dialect(flag=self._endpoint.flagged)
        try:
            Cycle(from_json(dict(tenant)), self._mappings, self._endpoint, self._state, dialect, log=log).run()
        except CycleStoppedError as error:
            raise AssertionError(f"Entra stopped the cycle: {error}") from None
        reasons = [f"{count} times {code}: {detail}" for (code, detail), count in log.errors.items()]
        assert not reasons, "\n".join(["Entra could not provision everything:", *reasons])
        return log

    def validate(self, case: ValidationCase) -> None:
        """Run one case of the validation. Raises AssertionError with the effect on Entra, and how to fix it."""
        from entra.validate.cases import Status
        from entra.validate.runner import Run

        run = Run(self._endpoint)
        result = run.run_case(*case)
        if run.left_behind:
            warnings.warn(f"could not delete: {', '.join(run.left_behind)}", stacklevel=2)
        if result.status is Status.SKIPPED:
            pytest.skip(result.message)
        if result.status is Status.WARNED:
            warnings.warn(f"{result.case.title}: {result.message}", stacklevel=2)
        assert result.status is not Status.FAILED, "\n".join(result.explanation)

    def close(self) -> None:
        """Close the connections."""
        self._endpoint.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of the ini file."""
    for name, text in OPTIONS.items():
        parser.addini(name, text, default="")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", MARKER)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses `tinyscim_case` once for each case and dialect."""
    if "tinyscim_case" in metafunc.fixturenames:
        options = _marked(metafunc.definition)
        cases = _cases(tuple(options.get("cases", ())), options.get("dialects", "LF"))
        metafunc.parametrize("tinyscim_case", cases, ids=[f"{one.case.name}-{one.dialect}" for one in cases])


@pytest.fixture(scope="session")
def tinyscim_server(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Server]":
    """Run a SCIM service on a free port: `.url`, `.token`, `.client`, `.reset()`."""
    from tinyscim.testing import Server

    is_in_memory = _choice(pytestconfig, "tinyscim_store", "memory", "file") == "memory"
    folder = None if is_in_memory else tmp_path_factory.mktemp("tinyscim")
    config = pytestconfig.getini("tinyscim_config")
    with Server(pytestconfig.rootpath / config if config else None, folder) as server:
        yield server


@pytest.fixture(scope="session")
def tinyscim_endpoint(pytestconfig: pytest.Config) -> tuple[str, str]:
    """Return the URL and the token of the endpoint under test. Override it to start your own server."""
    return pytestconfig.getini("tinyscim_url"), _token(pytestconfig)


@pytest.fixture
def tinyscim_entra(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Iterator[Entra]:
    """Emulate Entra's provisioning service: `.tenant()`, `.sync(tenant)`, `.validate(tinyscim_case)`."""
    options = _marked(request.node)
    if "url" in options:
        url, token = options["url"], options.get("token") or _token(pytestconfig)
    else:
        url, token = request.getfixturevalue("tinyscim_endpoint")
    if not url:
        raise pytest.UsageError("Set tinyscim_url in pytest's configuration, or override the fixture tinyscim_endpoint")
    entra = Entra(url, token, _choice(pytestconfig, "tinyscim_mapping", "entra", "idmelon"))
    yield entra
    entra.close()


def _token(config: pytest.Config) -> str:
    return os.environ.get("SCIM_TOKEN") or str(config.getini("tinyscim_token"))


def _choice(config: pytest.Config, option: str, default: str, other: str) -> str:
    chosen = str(config.getini(option) or default)
    if chosen not in (default, other):
        raise pytest.UsageError(f'{option} is "{default}" or "{other}", not "{chosen}"')
    return chosen


def _marked(node: Any) -> dict[str, Any]:
    marker = node.get_closest_marker("tinyscim")
    return dict(marker.kwargs) if marker else {}


@cache
def _cases(names: tuple[str, ...], dialects: str) -> list[ValidationCase]:
    from entra.validate.runner import choose

    if dialects not in ("L", "F", "LF"):
        raise pytest.UsageError(f'dialects is "L", "F" or "LF", not "{dialects}"')
    try:
        chosen = choose(names)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    return [ValidationCase(case, one) for case in chosen for one in (dialects if case.both else dialects[:1])]
