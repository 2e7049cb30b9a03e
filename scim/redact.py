"""Keeps secrets out of logs: credentials by their form, and values by the name that they stand under.

Every function here takes time in proportion to the length of its text: each pattern begins where a run of its
characters begins, so no character is looked at from more than one start.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from unicodedata import normalize

from scim.attributes import fold
from scim.auth import PREFIX

LEFT_OUT = "(left out)"
_ENOUGH = 8  # characters behind the prefix that make it a token of ours
_LONGEST_KNOWN = 100  # names up to this length are remembered

_SIGNS = re.compile(rf"{PREFIX}|eyJ|=|:|bearer|basic|-----BEGIN", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN (?:(?!-----END ).)*+(?:-----END [^-]*-*)?", re.DOTALL)
_SCHEME = re.compile(
    r"\b(bearer|basic)((?:[\s:+\"']|%20)++)(?!tokens?\b|auth\w*\b)([A-Za-z0-9._~+/-]{6,}+=*)", re.IGNORECASE
)
_RUN = re.compile(r"(?<![\w.~-])[\w.~-]{8,}+")
_ASSIGNED = re.compile(
    r"""(?<![\w.$-])([\w.$-]++)        # a name
        (["']?\s*+=\s*+|["']\s*+:\s*+) # = behind it, or behind a quoted name a colon
        ("(?:[^"\\]|\\.)*+"?|'[^']*+'?|[^\s&;,"'<>]++)""",
    re.VERBOSE | re.DOTALL,
)

_NOT_SECRET = re.compile("secretar(?:y|ies|iat)|tokeni[sz]|passwordless")
_PARTS = (
    *("password", "passwd", "passphrase", "passcode", "passwort", "passkey", "pwd", "secret", "token", "bearer"),
    *("authorization", "credential", "apikey", "accesskey", "privatekey", "signingkey", "encryptionkey", "sharedkey"),
    *("symmetrickey", "masterkey", "sessionkey", "keytab", "pkcs12", "nthash", "lmhash", "cookie", "sessionid"),
    *("otpseed", "otpkey", "mfaseed", "recoverycode", "recoverykey", "backupcode", "onetimecode"),
)
_WORDS = frozenset(("pass", "pw", "pin", "otp", "totp", "hotp", "seed", "psk", "jwt"))
_IN_CAMEL_CASE = re.compile(r"[A-Z]++(?![a-z])|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]++|\d++")
_NAME = re.compile(r"[\w$-]+")
_SEPARATORS = re.compile(r"[\W_]+")


def redact(text: str) -> str:
    """Return a text without the credentials that can be recognised in it.

    These are Bearer and Basic credentials, JSON Web Tokens, this service's own tokens, PEM blocks, and what is
    assigned to a secret name, as in `password=x` and `"password": "x"`.
    """
    if not _SIGNS.search(text):
        return text
    text = _PEM.sub(LEFT_OUT, text)
    text = _SCHEME.sub(_without_credentials, text)
    text = _RUN.sub(_without_token, text)
    return _ASSIGNED.sub(_without_value, text)


def cut(text: str, length: int) -> str:
    """Return the beginning of a text for a log: redacted first, as half a secret might not be recognised."""
    return redact(text)[:length]


def is_secret_name(name: str) -> bool:
    """Return whether a name is usually that of a secret, however it is spelled: `apiKey`, `API-Key`, `api_key`."""
    return _known_name(name) if len(name) <= _LONGEST_KNOWN else _is_secret_name(name)


def _is_secret_name(name: str) -> bool:
    plain = normalize("NFKC", name)
    joined = _NOT_SECRET.sub(" ", _SEPARATORS.sub("", fold(plain)))
    if any(part in joined for part in _PARTS):
        return True
    words = [word.lower() for word in _IN_CAMEL_CASE.findall(plain)]
    # India's postal code is called a pinCode.
    return any(word in _WORDS and (word, after) != ("pin", "code") for word, after in pairwise([*words, ""]))


_known_name = lru_cache(maxsize=4_096)(_is_secret_name)


class SecretNames:
    """What the schemas add to the usual names: attributes that are never returned, and such as may be read."""

    def __init__(self, never: Iterable[str] = (), readable: Iterable[str] = (), urns: Iterable[str] = ()) -> None:
        self._never, self._readable = frozenset(map(fold, never)), frozenset(map(fold, readable))
        self._urns = tuple(map(fold, urns))

    def are_in(self, text: str) -> bool:
        """Return whether any name in a text, such as an attribute's path, is that of a secret."""
        undeclared = []
        for word in _NAME.findall(self._without_urn(text)):
            folded = fold(word)
            if folded in self._never:
                return True
            if folded not in self._readable:
                undeclared.append(word)
        return any(map(is_secret_name, undeclared)) or (len(undeclared) > 1 and is_secret_name("".join(undeclared)))

    def _without_urn(self, text: str) -> str:
        """Remove the URN of a schema that is known here: its words are not names of attributes."""
        if text[:4].lower() == "urn:":
            folded = fold(text)
            if len(folded) == len(text):
                return text[max((len(urn) for urn in self._urns if folded.startswith(urn)), default=0) :]
        return text


def _without_credentials(found: re.Match[str]) -> str:
    scheme, between, credentials = found.groups()
    return f"{scheme}{between}{LEFT_OUT}" if scheme[1] in "eE" or _is_basic(credentials) else found[0]


def _is_basic(text: str) -> bool:
    """Return whether a text is a user's name and password as HTTP has them (RFC 7617 section 2)."""
    if len(text) >= 24:
        return True
    try:
        return b":" in base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except binascii.Error:
        return False


def _without_token(found: re.Match[str]) -> str:
    run = found[0]
    if PREFIX in run and len(run) >= len(PREFIX) + _ENOUGH:
        return LEFT_OUT
    if "eyJ" in run:
        parts = run.split(".")
        if any("eyJ" in part and len(after) >= 4 for part, after in pairwise(parts)):
            return LEFT_OUT
    return run


def _without_value(found: re.Match[str]) -> str:
    name, between, value = found.groups()
    return f"{name}{between}{LEFT_OUT}" if not LEFT_OUT.startswith(value) and is_secret_name(name) else found[0]
