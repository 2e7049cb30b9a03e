"""A user, and what Entra sends to change it."""

import pytest

from tests.support.urns import ENT


@pytest.fixture
def user(scim):
    return scim.create_user(
        userName="lena@contoso.example",
        displayName="Lena",
        title="Clerk",
        active=True,
        name={"givenName": "Lena", "familyName": "Berg", "formatted": "Lena Berg"},
        emails=[{"type": "work", "value": "lena@contoso.example", "primary": True}],
        **{ENT: {"department": "Harbour", "employeeNumber": "11"}},
    )


@pytest.fixture
def patch(scim, user):
    """Send operations, and return the user as the answer and as a later GET show it."""

    def send(*operations):
        path = f"/Users/{user['id']}"
        answer = scim.patch_op(path, *operations)
        assert answer.status == 200, answer.body
        assert scim.read(path) == answer.body
        return answer.body

    return send
