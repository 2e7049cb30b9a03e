"""Words, numbers and names from which requests are changed."""

from tests.support.urns import ENT, USER
from tests.support.words import NAMES, PARAMETERS, SUBS, URNS

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "TRACE", "QUERY"]
OPERATORS = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr", "and", "or", "not", "like", "EQ"]
SPECIAL = [
    *("bulkId:u", "bulkId:", "bulkId:x", "urn:x", "urn:", f"{USER}:", f"{ENT}:x.y.z", "{user}", "{group}", "{number}"),
    *("\ud800", "\0", "\r\n", "é", "\u202e", "\ufeff", "İ", "ß", "\u2028", "1e999", "-0", "NaN", "9" * 40, "null"),
    *('\\"', '"\\ud800"', '"\\u0000"', "__proto__", "../..", "%00", "%ff", "%2e%2e", "<script>", "=1+1", "{{7*7}}"),
    *("2026-02-30T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "true", "False", " ", "\t"),
    *("accessToken", "Bearer x", "tscim_xxxxxxxxxxxx"),
]
PROTOCOL = ["Operations", "op", "path", "schemas", *PARAMETERS, *OPERATORS, *'()[].,:"\\/%?#&=;{}']
WORDS = [[*NAMES, *SUBS, *URNS], SPECIAL, PROTOCOL]
NUMBERS = [0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 0.1, 1e300, -1e-300, 100]
CONTENT_TYPES = [
    *("application/scim+json", "application/json; charset=utf-16", "text/plain", "application/xml", "", "a/b;" * 50),
    *(
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/json;x",
    ),
]
ENCODINGS = ["utf-16", "utf-32", "latin-1", "utf-7", "utf-8-sig", "cp037"]
