"""The bill of materials has every pinned package, and an independent library reads it."""

import json
import re
import subprocess
import sys

from cyclonedx.model.bom import Bom

from tests.support.serving import ROOT


def test_the_bill_of_materials_has_every_pinned_package_with_its_hashes():
    run = subprocess.run([sys.executable, ROOT / "packaging" / "sbom.py"], capture_output=True, check=True)
    bom = Bom.from_json(json.loads(run.stdout))
    text = (ROOT / "requirements.txt").read_text()
    pinned = set(re.findall(r"^([\w.-]+)==(\S+)", text, flags=re.MULTILINE))
    assert {(one.name, one.version) for one in bom.components} == pinned
    hashes = [one.content for part in bom.components for file in part.external_references for one in file.hashes]
    assert sorted(hashes) == sorted(re.findall(r"sha256:(\w+)", text))
