"""Recorded requests, replayed in order in-process and against gunicorn: Entra's in requests/, others' in clients/.

A step has a method, a path, optional headers, an optional body and the status. Its `answer` is a part of what is
expected (null: the key must be absent; a list: element by element); it may `keep` values of the answer under a name,
for which `{name}` stands in later steps. `{run}` stands for a word that no other replay has.
"""

import json
import uuid
from pathlib import Path

import pytest

RECORDED = sorted(
    path for folder in ("requests", "clients") for path in (Path(__file__).parent / folder).glob("*.json")
)


def fill(value, kept):
    if isinstance(value, dict):
        return {fill(key, kept): fill(each, kept) for key, each in value.items()}
    if isinstance(value, list):
        return [fill(each, kept) for each in value]
    for name, text in kept.items():
        value = value.replace(f"{{{name}}}", text) if isinstance(value, str) else value
    return value


def differences(expected, found, at=""):
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, each in expected.items():
            if each is not None or key in found:
                yield from differences(each, found.get(key, "(absent)"), f"{at}/{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for n, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{at}/{n}")
    elif type(expected) is not type(found) or expected != found:
        yield f"{at}: expected {expected!r}, found {found!r}"


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
@pytest.mark.parametrize("server", ["scim", "live"])
def test_recorded_requests(request, recorded, server):
    client = request.getfixturevalue(server)
    kept = {"run": uuid.uuid4().hex[:8]}
    for step in json.loads(recorded.read_text()):
        step = fill(step, kept)
        body = json.dumps(step["body"]).encode() if "body" in step else None
        answer = client.request(step["method"], step["path"], headers=step.get("headers"), data=body)
        where = f"{step['method']} {step['path']}"
        assert answer.status == step["status"], (where, answer.text)
        assert list(differences(step.get("answer", {}), answer.body or {})) == [], where
        if step["status"] == 204:
            assert answer.text == ""
        kept |= {name: answer.body[key] for name, key in step.get("keep", {}).items()}
