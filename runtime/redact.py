"""Keeps secrets out of logs: credentials by their form, and values by the name that they stand under.

Every function here takes time in proportion to the length of its text: each pattern begins where a run of its
characters begins, so no character is looked at from more than one start.
"""

import base64
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from unicodedata import normalize

from config import SIGNING_PREFIX
from config.tokens import PREFIX

LEFT_OUT = "(left out)"
_ENOUGH = 8  # characters behind the prefix that make it a token of ours
_LONGEST_KNOWN = 100  # names up to this length are remembered
_LONGEST_SEARCHED = 2_000

_SIGNS = re.compile(rf"""{PREFIX}|{SIGNING_PREFIX}|eyJ|=|["']\s*:|bearer|basic|-----BEGIN""", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN (?:(?!-----END ).)*+(?:-----END [^-]*-*)?", re.DOTALL)
_AFTER_SCHEME = r"""((?:[\s:+"']|%20|(?:bearer|basic)(?=[\s:+"'%]))++)"""  # the scheme may be there twice
# Both match without credentials too: what they have passed is not tried again from its middle.
_BEARER = re.compile(
    rf"\b(bearer){_AFTER_SCHEME}((?!(?:tokens?|authentication|authori[sz]ation)\b)[A-Za-z0-9._~+/-]{{6,}}+=*)?+",
    re.IGNORECASE,
)
_BASIC = re.compile(rf"\b(basic){_AFTER_SCHEME}([A-Za-z0-9+/]{{4,}}+=*)?+", re.IGNORECASE)
_SIGNING = re.compile(rf"{SIGNING_PREFIX}[A-Za-z0-9+/_-]{{{_ENOUGH},}}+=*")
_RUN = re.compile(r"(?<![\w.~-])[\w.~-]{8,}+")
# A name of one word or two, and behind it a = or, if it is quoted, a :, perhaps all as a text within a text.
_NAMED = re.compile(
    r"""(?<![\w.$-])([\w.$-]++(?:[\s\u200b-\u200f\ufeff][\w.$-]++)?+)(?:\\*+["']?\s*+=|\\*+["']\s*+:)\s*+"""
)
_VALUE = re.compile(r"""\\*+"(?:[^"\\]|\\.)*+"?|\\*+'[^']*+'?|[^\s&;,"'<>\\]++""", re.DOTALL)

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

    These are Bearer and Basic credentials, JSON Web Tokens, this service's own tokens, the secrets of webhooks, PEM
    blocks, and what is assigned to a secret name, as in `password=x` and `"password": "x"`.
    """
    if not _may_have_secret(text, _USUAL_SIGNS) or not _SIGNS.search(text):
        return text
    text = _PEM.sub(LEFT_OUT, text)
    text = _BEARER.sub(lambda found: _without_credentials(found, bool(found[3])), text)
    text = _BASIC.sub(lambda found: _without_credentials(found, _is_basic(found[3] or "")), text)
    text = _SIGNING.sub(LEFT_OUT, text)
    text = _RUN.sub(_without_token, text)
    return _without_values(text)


def cut(text: str, length: int) -> str:
    """Redact a text, then truncate it for a log: part of a secret might not be recognised."""
    return redact(text)[:length]


def is_secret_name(name: str) -> bool:
    """Return whether a name is usually that of a secret, however it is spelled: `apiKey`, `API-Key`, `api_key`."""
    return _known_name(name) if len(name) <= _LONGEST_KNOWN else _is_secret_name(name)


def _is_secret_name(name: str) -> bool:
    plain = normalize("NFKC", name)
    joined = _NOT_SECRET.sub(" ", _plain(plain))
    if any(part in joined for part in _PARTS):
        return True
    words = [word.lower() for word in _IN_CAMEL_CASE.findall(plain)]
    # India's postal code is called a pinCode.
    return any(word in _WORDS and (word, after) != ("pin", "code") for word, after in pairwise([*words, ""]))


_known_name = lru_cache(maxsize=4_096)(_is_secret_name)


class SecretNames:
    """The usual names of secrets, plus attributes that are never returned, less those that may be read."""

    def __init__(self, never: Iterable[str] = (), readable: Iterable[str] = (), urns: Iterable[str] = ()) -> None:
        self._never, self._readable = frozenset(map(str.casefold, never)), frozenset(map(str.casefold, readable))
        self._urns = tuple(map(str.casefold, urns))
        self._known = lru_cache(maxsize=4_096)(self._are_in)
        self._signs = _shortest({*_USUAL_SIGNS, *map(_plain, self._never), "filter"})

    def are_in(self, text: str) -> bool:
        """Return whether any name in a text, such as an attribute's path, is that of a secret.

        A text that is longer than a log would show counts as one: it is not searched.
        """
        if len(text) > _LONGEST_SEARCHED:
            return True
        return self._known(text) if len(text) <= _LONGEST_KNOWN else self._are_in(text)

    def may_be_in(self, line: str) -> bool:
        """Return whether a line of JSON may have a secret in it."""
        return _may_have_secret(line, self._signs)

    def _are_in(self, text: str) -> bool:
        words = _NAME.findall(self._without_urn(text))
        if any(str.casefold(word) in self._never for word in words):
            return True
        # To a path, api.key is two words.
        undeclared = ["" if str.casefold(word) in self._readable else word for word in words]
        return any(map(is_secret_name, undeclared)) or any(
            one and is_secret_name(one + two) for one, two in pairwise(undeclared)
        )

    def _without_urn(self, text: str) -> str:
        """Remove the URN of a schema that is known here: its words are not names of attributes."""
        if text[:4].lower() == "urn:":
            folded = str.casefold(text)
            if len(folded) == len(text):
                return text[max((len(urn) for urn in self._urns if folded.startswith(urn)), default=0) :]
        return text


def _may_have_secret(text: str, signs: Iterable[str]) -> bool:
    """Return whether a text may have a secret in it. Most texts show at once that they have none."""
    if not text.isascii() or "\\" in text:
        return True
    plain = text.encode().lower().translate(None, _ASCII_SEPARATORS).decode()
    return any(map(plain.__contains__, signs))


def _plain(text: str) -> str:
    return _SEPARATORS.sub("", str.casefold(text))


def _shortest(signs: set[str]) -> list[str]:
    """Return the signs that contain no other sign."""
    return [one for one in signs if not any(other in one for other in signs - {one})]


_ASCII_SEPARATORS = bytes(one for one in range(128) if not chr(one).isalnum())
_USUAL_SIGNS = _shortest({*_PARTS, *_WORDS, _plain(PREFIX), _plain(SIGNING_PREFIX), "eyj", "basic", "begin"})


def _without_credentials(found: re.Match[str], has_some: bool) -> str:
    return f"{found[1]}{found[2]}{LEFT_OUT}" if has_some else found[0]


def _is_basic(text: str) -> bool:
    """Return whether a text is a user's name and password as HTTP has them (RFC 7617 section 2)."""
    if len(text) >= 24:
        return True
    try:
        return b":" in base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except ValueError:  # not in ASCII, or not base64
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


def _without_values(text: str) -> str:
    """Leave out what is assigned to secret names; other values are not skipped, as there may be names in them."""
    parts, place = [], 0
    for named in _NAMED.finditer(text):
        if named.start() >= place and is_secret_name(named[1]) and not text.startswith(LEFT_OUT, named.end()):
            value = _VALUE.match(text, named.end())
            if value:
                parts += [text[place : named.end()], LEFT_OUT]
                place = value.end()
    return "".join((*parts, text[place:]))
