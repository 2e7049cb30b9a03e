"""Your own endpoint with what Entra sends: a test for each case, and whole provisioning cycles."""


def test_entra(tinyscim_entra, tinyscim_case):
    tinyscim_entra.validate(tinyscim_case)


def test_entra_provisions_users_once(tinyscim_entra):
    tenant = tinyscim_entra.tenant(users=10, groups=2)
    assert tinyscim_entra.sync(tenant).actions["create"] > 0
    assert tinyscim_entra.sync(tenant).actions["create"] == 0


def test_entra_disables_a_user(tinyscim_entra):
    tenant = tinyscim_entra.tenant(users=10, groups=2)
    tinyscim_entra.sync(tenant)
    user = next(one for one in tenant["users"] if one["objectId"] in tenant["assignments"] and one["accountEnabled"])
    user["accountEnabled"] = False
    log = tinyscim_entra.sync(tenant)
    assert log.actions["disable"] + log.actions["update"] == 1
