"""The validation: each fault is detected by the right case, and a correct endpoint passes."""

import json
import xml.etree.ElementTree as ET

import pytest

from entra.validate import reports
from entra.validate.cases import Status
from entra.validate.runner import CASES, Run, choose
from tests.support import emulator_faults as faults
from tests.support.emulator_endpoint import TOKEN, Endpoint
from tests.support.emulator_job import client


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
    assert [(r.name, r.message) for r in run.finished if r.status is not Status.PASSED] == []
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


def test_an_unreachable_endpoint_ends_the_run_early():
    def down(environ, start_response):
        raise OSError("down")

    run = Run(client(down))
    run.endpoint._http = __import__("httpx").Client(base_url="http://127.0.0.1:9")
    run.endpoint.base = "http://127.0.0.1:9"
    assert [r.status for r in run.results()] == [Status.FAILED] * 2


def test_resources_that_cannot_be_deleted_are_named():
    class Keeps(Endpoint):
        def delete(self, kind, id):
            return self.json({}, 400)

    assert len(validated(Keeps(), cases=choose(["match-forms"])).left_behind) == 1


def test_cases_have_unique_names_and_a_fix():
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) > 60
    assert all(case.title and case.effect and case.fix for case in CASES)
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
    assert "http-equiv" in page
    assert "src=" not in page
    assert "<link" not in page
    assert TOKEN not in page


def test_the_junit_report_is_valid_xml_with_counts(hostile):
    text = reports.to_junit(hostile)
    suite = ET.fromstring(text.encode())
    assert (suite.get("tests"), suite.get("failures")) == ("4", "3")
    assert len(suite.findall("testcase/failure")) == 3
    assert len(suite.findall("testcase/system-out")) == 1
    assert TOKEN not in text


def test_the_json_report_has_requests_and_responses(hostile):
    document = json.loads(reports.to_json(hostile))
    assert document["counts"] == {"passed": 0, "warned": 1, "failed": 3, "skipped": 0}
    first = document["results"][0]
    assert first["exchanges"][0]["method"] == "GET"
    assert first["effect"]
    assert first["fix"]
    assert TOKEN not in json.dumps(document)


def test_the_report_of_a_correct_endpoint_has_nothing_to_change():
    page = reports.to_html(validated(Endpoint(), cases=choose(["probe-users"])))
    assert "Nothing to change" in page
