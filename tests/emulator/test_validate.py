"""The validation: each fault is detected by the right case, and a correct endpoint passes."""

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ET

import pytest
from werkzeug.wrappers import Response

from entra import curl
from entra.client import Endpoint as Client
from entra.client import HttpOptions
from entra.validate import reports
from entra.validate.cases import Status
from entra.validate.runner import CASES, Run, choose
from entra.validate.sources import SOURCES
from tests.support import emulator_faults as faults
from tests.support.emulator_endpoint import TOKEN, Endpoint
from tests.support.emulator_job import client, served
from tests.support.emulator_scim import ScimError


def validated(app, **how):
    run = Run(client(app), **how)
    list(run.results())
    return run


def failed_cases(run):
    return {r.case.name for r in run.finished if r.status in (Status.FAILED, Status.WARNED)}


@pytest.mark.parametrize("app", [Endpoint, faults.Tolerated])
def test_a_correct_endpoint_passes_every_case_and_is_cleaned_up(app):
    app = app()
    run = validated(app)
    assert [(r.name, r.message) for r in run.finished if r.status in (Status.FAILED, Status.WARNED)] == []
    assert {r.case.section for r in run.finished if r.status is Status.SKIPPED} == {"Token endpoint"}
    assert app.store == {"User": {}, "Group": {}}
    assert run.left_behind == []


@pytest.mark.parametrize(("app", "case"), faults.FAULTS.items(), ids=lambda value: getattr(value, "__name__", value))
def test_each_fault_is_detected_by_its_case(app, case):
    assert failed_cases(validated(app(), cases=choose([case]))) == {case}


@pytest.mark.parametrize(
    ("app", "cases"),
    [
        (faults.MembersNotExcluded, {"members-excluded"}),
        (faults.StringManager, {"create-manager", "manager"}),
        (faults.Nulls, {"no-nulls"}),
        (faults.PatchWithoutBody, {"patch-answer"}),
        (faults.StartIndexNotEchoed, {"paging", "group-paging"}),
        (faults.PlainJson, {"content-type"}),
        (faults.DisablingLeavesGroups, {"restore"}),
        (faults.OpenToAll, {"wrong-token"}),
    ],
)
def test_a_small_fault_fails_no_other_case(app, cases):
    assert failed_cases(validated(app())) == cases


def test_a_fault_in_one_dialect_is_detected_only_there():
    failed = {r.name for r in validated(faults.RemovalEmptiesGroup()).finished if r.status is Status.FAILED}
    assert failed == {"remove-member[L]", "add-and-remove[L]"}
    failed = {r.name for r in validated(faults.DottedKeysIgnored()).finished if r.status is Status.FAILED}
    assert "several-attributes[F]" in failed
    assert "several-attributes[L]" not in failed


def test_lost_concurrent_members_are_detected():
    class Races(Endpoint):
        """Loses members that are added concurrently."""

        waiting = []

        def patch(self, kind, resource, body):
            before = json.loads(json.dumps(resource))
            answer = super().patch(kind, resource, body)
            if kind == "Group" and len(self.store["Group"][resource["id"]].get("members", [])) > 5:
                self.store["Group"][resource["id"]] = before
            return answer

    assert failed_cases(validated(Races(), cases=choose(["membership-race"]))) == {"membership-race"}


class WrongPath(Endpoint):
    def dispatch(self, request):
        raise ScimError(404, "no such endpoint")


class WebPage(Endpoint):
    def dispatch(self, request):
        return Response("<h1>Welcome</h1>", content_type="text/html")


class Redirects(Endpoint):
    def answer(self, request):
        return Response(status=301, headers={"Location": "https://elsewhere.example"})


class Refuses(Endpoint):
    def authenticate(self, request):
        raise ScimError(401, "the token is wrong")


@pytest.mark.parametrize(
    ("app", "message"),
    [
        (WrongPath, "is not a SCIM endpoint (/Users: 404, /Groups: 404, /Schemas: 404, /ServiceProviderConfig: 404)"),
        (WebPage, "is not a SCIM endpoint (/Users: 200, "),
        (Redirects, "is not a SCIM endpoint (/Users: 301, "),
        (Refuses, "the endpoint refuses the token with 401"),
    ],
)
def test_a_wrong_path_or_token_ends_the_run_at_once(app, message):
    run = validated(app())
    (result,) = run.finished
    assert (result.case.name, result.status) == ("endpoint", Status.FAILED)
    assert message in result.message
    assert len(result.exchanges) <= 4


def test_an_unreachable_endpoint_ends_the_run_at_once():
    run = Run(Client("http://127.0.0.1:9/scim", TOKEN, HttpOptions(rate=0)))
    assert [(r.case.name, r.message) for r in run.results()] == [("endpoint", "could not connect: connection refused")]


@pytest.mark.parametrize(
    ("app", "case", "request_line"),
    [
        (faults.EmptySearchIs404, "probe-users", "GET /Users?filter="),
        (faults.Nulls, "no-nulls", "GET /Users/"),  # the first of two requests that are both sent before the check
        (faults.DuplicatesAccepted, "conflict", "POST /Users"),
        (faults.NoPatch, "membership-race", "PATCH /Groups/"),
    ],
)
def test_the_failing_request_is_marked(app, case, request_line):
    result = validated(app(), cases=choose([case])).finished[-1]
    assert f"{result.failing.method} {result.failing.url}".startswith(request_line)
    (marked,) = (e for e in result.to_json()["exchanges"] if e.get("failing"))
    assert marked["curl"] == curl.command(result.failing)
    if case == "no-nulls":
        assert result.failing is not result.exchanges[-1]


def test_a_curl_command_repeats_the_request_and_leaves_out_the_token():
    endpoint = Endpoint()
    with served(endpoint) as url:
        exchange = Client(url, TOKEN, HttpOptions(rate=0)).send(
            "POST", "/Users", body={"userName": "o'brien@x.example"}, headers={"User-Agent": None}
        )
        command = curl.command(exchange)
        assert exchange.status == 201
        assert TOKEN not in command
        endpoint.store["User"].clear()
        environment = {**os.environ, "SCIM_TOKEN": TOKEN}
        said = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, timeout=30)
    assert "201 CREATED" in said.stdout.upper(), said.stderr
    assert [user["userName"] for user in endpoint.store["User"].values()] == ["o'brien@x.example"]


def test_a_curl_command_keeps_a_deliberately_wrong_token():
    result = validated(Endpoint(), cases=choose(["wrong-token"])).finished[-1]
    assert "-H 'Authorization: Bearer wrong'" in curl.command(result.exchanges[0])
    assert "Authorization" not in curl.command(result.exchanges[1])


def test_resources_that_cannot_be_deleted_are_named():
    class Keeps(Endpoint):
        def delete(self, kind, id):
            return self.json({}, 400)

    assert len(validated(Keeps(), cases=choose(["match-forms"])).left_behind) == 1


def test_cases_have_unique_names_and_a_fix():
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) > 60
    assert all(case.title and case.effect and case.fix and case.sources for case in CASES)
    assert names == list(SOURCES)
    urls = [source.url for case in CASES for source in case.sources]
    assert all(re.match(r"https://(www\.rfc-editor\.org|learn\.microsoft\.com|github\.com)/", url) for url in urls)
    with pytest.raises(ValueError, match="unknown case 'nonsense'"):
        choose(["nonsense"])


class Hostile(Endpoint):
    """Returns mark-up, control characters and the token of the request."""

    def json(self, body, status=200):
        return super().json({**body, "detail": f"<script>alert(1)</script>\x00\x1b {TOKEN}"}, 400)


@pytest.fixture(scope="module")
def hostile():
    return validated(Hostile(), cases=choose(["probe-users", "create", "match-old-forms"]))


def test_the_html_report_escapes_everything_and_loads_nothing(hostile):
    page = reports.to_html(hostile)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count("This request failed the check") == 4
    assert '<a href="https://www.rfc-editor.org/rfc/rfc7644#section-3.4.2">RFC 7644 section 3.4.2</a>' in page
    assert "curl -i -X GET &#39;http://endpoint.example/scim/Users?filter=" in page
    assert "http-equiv" in page
    assert "src=" not in page
    assert "<link" not in page
    assert TOKEN not in page


def test_the_junit_report_is_valid_xml_with_counts(hostile):
    text = reports.to_junit(hostile)
    suite = ET.fromstring(text.encode())
    assert (suite.get("tests"), suite.get("failures")) == ("5", "3")
    assert len(suite.findall("testcase/failure")) == 3
    assert len(suite.findall("testcase/system-out")) == 1
    assert TOKEN not in text


def test_the_json_report_has_requests_and_responses(hostile):
    document = json.loads(reports.to_json(hostile))
    assert document["counts"] == {"passed": 1, "warned": 1, "failed": 3, "skipped": 0}
    first = document["results"][1]
    assert first["exchanges"][0]["method"] == "GET"
    assert first["effect"]
    assert first["fix"]
    assert first["sources"][1]["name"] == "RFC 7644 section 3.4.2"
    assert TOKEN not in json.dumps(document)


def test_the_report_of_a_correct_endpoint_has_nothing_to_change():
    page = reports.to_html(validated(Endpoint(), cases=choose(["probe-users"])))
    assert "Nothing to change" in page
