"""Mapping expressions: each function, and errors."""

import pytest

from entra.expressions import ExpressionError, parse

SOURCE = {
    "userPrincipalName": "Kim.O'Neill@contoso.example",
    "givenName": "Kim",
    "surname": "O'Neill",
    "employeeId": "00123",
    "empty": "",
    "IsSoftDeleted": False,
    "gone": None,
    "appRoleAssignments": [
        {"id": "1", "value": "Admin", "displayName": "Administrator"},
        {"id": "2", "value": "User", "displayName": "User"},
    ],
}
ROLE = {"primary": False, "type": "WindowsAzureActiveDirectoryRole"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[givenName]", "Kim"),
        ("[nothing]", None),
        ('"constant"', "constant"),
        (r'"a \"quoted\" one"', 'a "quoted" one'),
        ('Switch([IsSoftDeleted], , "False", "True", "True", "False")', "True"),
        ('Switch([givenName], "other", "Ann", "1")', "other"),
        ('Switch([givenName], , "Ann", "1")', None),
        ("Not([IsSoftDeleted])", True),
        ('Not("True")', False),
        ("IsPresent([empty])", False),
        ("IsPresent([givenName])", True),
        ("Coalesce([gone], [empty], [surname])", "O'Neill"),
        ("Coalesce([gone])", None),
        ('Join(" ", [givenName], [surname])', "Kim O'Neill"),
        ('Join(" ", [gone], [surname])', "O'Neill"),
        ('Join(", ", [gone])', None),
        ('Append([givenName], ".x")', "Kim.x"),
        ('Append([gone], ".x")', None),
        ('Replace([userPrincipalName], "@contoso.example", , , "", , )', "Kim.O'Neill"),
        ('Replace([givenName], "x", , , [surname], , "y-x-z")', "y-Kim-z"),
        ('Replace([employeeId], , "^0+", , "", , )', "123"),
        ('Replace([employeeId], , "(?<zeros>^0+)", "zeros", "#", , )', "#123"),
        ('Replace([givenName], , "(?<name>[^@]*)@", "name", , [userPrincipalName], )', "Kim.O'Neill"),
        ('Replace([gone], "a", , , "b", , )', None),
        ("Mid([surname], 1, 3)", "O'N"),
        ("Mid([surname], 3, 100)", "Neill"),
        ("ToLower([userPrincipalName], )", "kim.o'neill@contoso.example"),
        ("tolower([givenName])", "kim"),
        ("SingleAppRoleAssignment([appRoleAssignments])", "Admin"),
        ("SingleAppRoleAssignment([gone])", None),
        ("AppRoleAssignmentsComplex([gone])", None),
        (
            "AppRoleAssignmentsComplex([appRoleAssignments])",
            [ROLE | {"display": "Administrator", "value": "Admin"}, ROLE | {"display": "User", "value": "User"}],
        ),
        ('Switch(IsPresent([gone]), Append(ToLower([givenName]), "!"), "True", "there")', "kim!"),
    ],
)
def test_an_expression_has_its_value(text, value):
    assert parse(text).evaluate(SOURCE) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("StripSpaces([givenName])", "unknown function StripSpaces"),
        ("Join(", "unexpected end"),
        ("Join([a] [b])", "expected a comma"),
        ("[a] [b]", "after the end"),
        ("bare", "neither an attribute"),
        ("[a] ; drop", "unexpected '; drop'"),
        (")", "expected a value"),
        ("", "unexpected end"),
    ],
)
def test_an_invalid_expression_is_rejected_with_the_reason(text, reason):
    with pytest.raises(ExpressionError, match=reason):
        parse(text)
