"""Failures: escrow, retries and quarantine."""

from dataclasses import replace

import pytest

from entra import demo
from entra.client import Endpoint as Client
from entra.cycle import CycleStoppedError
from entra.oauth import Credentials
from entra.responses import ExportError, raise_for_status
from entra.state import load
from entra.targets import ENTERPRISE
from entra.tenant import from_json
from tests.support import emulator_faults as faults
from tests.support.emulator_endpoint import Endpoint
from tests.support.emulator_job import Job, assert_equal_directory, company, served

BOTH = pytest.mark.parametrize("flag", [False, True], ids="LF")


def test_a_target_deleted_out_of_band_is_an_invalid_anchor_until_a_restart():
    tenant, job = company(), Job()
    job.sync(tenant)
    del job.app.store["User"][job.state.links["u1"].target]
    tenant.objects["u1"].source["jobTitle"] = "Boss"
    assert [code for code, _ in job.sync(tenant).errors] == ["InvalidAnchor"]
    job.state.restart()
    assert not job.sync(tenant).errors
    manager = job.user(tenant, "u1")[ENTERPRISE]["manager"]["value"]
    assert manager == job.user(tenant, "u0")["id"]
    assert {m["value"] for m in job.group(tenant, "g0")["members"]} >= {job.user(tenant, "u1")["id"]}


def test_an_invalid_request_is_unreachable_and_not_quoted():
    with served(Endpoint()) as url:
        exchange = Client(url, "Secret\r").send("GET", "/Users")
    with pytest.raises(ExportError, match=r"^Unreachable: the request was not sent"):
        raise_for_status(exchange)
    assert "Secret" not in str(exchange.to_json())


class RefusesU1(Endpoint):
    refusing = True

    def check_unique(self, kind, resource):
        super().check_unique(kind, resource)
        if self.refusing and resource.get("externalId") == "u1":
            raise faults.ScimError(400, "no u1 here")


def test_a_rejected_object_is_retried_with_doubled_waits_and_then_provisioned_with_its_references():
    tenant, job = company(), Job(RefusesU1())
    waits = []
    for _ in range(4):
        job.sync(tenant, interval=100)
        waits.append(job.state.escrow["u1"].next - job.now)
        assert not job.sync(tenant, interval=100).errors  # not due yet
        job.now += waits[-1]
    assert waits == [100, 200, 400, 800]
    job.app.refusing = False
    assert not job.sync(tenant).errors
    assert job.state.escrow == {}
    assert job.user(tenant, "u1")[ENTERPRISE]["manager"]["value"] == job.user(tenant, "u0")["id"]
    assert {m["value"] for m in job.group(tenant, "g0")["members"]} >= {job.user(tenant, "u1")["id"]}


def test_an_object_that_is_no_longer_retried_stays_in_the_state_file(tmp_path):
    tenant, job = company(), Job(RefusesU1())
    job.state.path = tmp_path / "links.json"
    job.sync(tenant)
    job.now += 29 * 24 * 3600
    assert job.sync(tenant).errors
    job.state = load(job.state.path, job.state.url)
    job.now += 10 * 365 * 24 * 3600
    assert not job.sync(tenant).errors


def test_the_wait_is_at_most_a_day_after_any_number_of_attempts():
    tenant, job = company(), Job(RefusesU1())
    job.sync(tenant)
    job.state.escrow["u1"] = replace(job.state.escrow["u1"], attempts=2_000)
    job.sync(tenant, retry_now=True, interval=100.0)
    assert job.state.escrow["u1"].next - job.now == 24 * 3600


class RefusesMembers(Endpoint):
    refusing = True

    def patch(self, kind, resource, body):
        if kind == "Group" and self.refusing:
            raise faults.ScimError(400, "no members today")
        return super().patch(kind, resource, body)


def test_rejected_references_are_retried():
    tenant, job = company(), Job(RefusesMembers())
    assert job.sync(tenant, interval=100).errors
    assert job.state.escrow["g0"].reference
    assert not job.sync(tenant, interval=100).errors  # not due yet
    job.now += 100
    job.app.refusing = False
    assert not job.sync(tenant).errors
    assert job.state.escrow == {}
    assert len(job.group(tenant, "g0")["members"]) == 2


def test_the_state_is_saved_during_a_cycle(monkeypatch, tmp_path):
    monkeypatch.setattr("entra.cycle.SAVE_INTERVAL", 0)
    job = Job()
    job.state.path = tmp_path / "links.json"

    class Dies(Exception):
        pass

    def listener(entry):
        if entry.kind == "Group":
            raise Dies

    cycle = job.cycle(company())
    cycle.log.listener = listener
    monkeypatch.setattr("entra.cycle.Cycle._finish", lambda _: None)
    with pytest.raises(Dies):
        cycle.run()
    again = load(job.state.path, job.state.url)
    assert set(again.links) >= {"u0", "u1", "u2", "u3"}
    assert again.cycles == 0


@BOTH
def test_injected_faults_only_delay_the_result(flag):
    tenant = demo.generate(25, 3)
    job = Job(flag=flag, http={"faults": {"429": 0.05, "500": 0.05, "timeout": 0.1}})
    for _ in range(40):
        try:
            failed = job.sync(tenant, retry_now=True).errors
        except CycleStoppedError:
            continue
        if not failed and not job.state.escrow:
            break
    assert_equal_directory(job, tenant)


@pytest.mark.parametrize("app", [faults.EmptySearchIs404, faults.EmptySearchIsHtml, faults.BareArray, faults.NoGroups])
def test_a_failed_connection_test_is_a_quarantine(app):
    job = Job(app())
    with pytest.raises(CycleStoppedError, match="EncounteredQuarantineException"):
        job.sync(company())
    assert job.state.quarantine.reason == "EncounteredQuarantineException"
    assert job.verbs() == []


def test_a_wrong_token_is_a_quarantine_that_a_valid_one_ends():
    job, good = Job(), Job()
    job.client = job.client.with_token("wrong")
    with pytest.raises(CycleStoppedError, match="InvalidCredentials"):
        job.sync(company())
    job.client = good.client
    job.app = good.app
    job.sync(company())
    assert job.state.quarantine is None


def test_rejected_client_credentials_are_a_quarantine():
    job = Job()
    job.client.credentials = Credentials("http://endpoint.example/scim/nothing", "id", "secret")
    with pytest.raises(CycleStoppedError, match=r"InvalidCredentials.*without an access_token"):
        job.sync(company())


def test_too_many_failures_are_a_quarantine():
    users = [{"objectId": f"u{n}", "userPrincipalName": f'"{n}', "displayName": "x"} for n in range(5001)]
    job = Job()
    with pytest.raises(CycleStoppedError, match="EncounteredEscrowProportionThreshold"):
        job.sync(from_json({"users": users}))


@pytest.mark.parametrize(
    ("app", "code"),
    [
        (faults.StringManager, "SystemForCrossDomainIdentityManagementDeserializationError"),
        (faults.NoId, "SystemForCrossDomainIdentityManagementServiceIncompatible"),
        (faults.NoPatch, "SystemForCrossDomainIdentityManagementServiceIncompatible"),
        (faults.BareObject, "SystemForCrossDomainIdentityManagementServiceIncompatible"),
    ],
)
def test_an_intolerable_response_has_entras_error_code(app, code):
    tenant, job = company(), Job(app())
    job.sync(tenant)
    tenant.objects["u1"].source["jobTitle"] = "Boss"
    job.state.restart()
    journal = job.sync(tenant)
    job.state.restart(full=True)
    journal.errors.update(job.sync(tenant).errors)
    assert code in {code for code, _ in journal.errors}


def test_a_normalised_phone_number_is_patched_after_every_restart():
    tenant, job = company(telephoneNumber="+1 (555) 0100"), Job(faults.PhoneNormalised())
    job.sync(tenant)
    job.state.restart()
    job.sync(tenant)
    assert job.verbs().count("PATCH") == 4
