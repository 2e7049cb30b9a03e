"""Print a software bill of materials (CycloneDX 1.5) of the pinned packages; it needs no network."""

import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Print the document."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    own = {"type": "application", "bom-ref": project["name"], "name": project["name"], "version": project["version"]}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {**own, "licenses": [{"license": {"id": project["license"]}}]}},
        "components": list(map(_component, _pins((ROOT / "requirements.txt").read_text()))),
    }
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


def _pins(text: str) -> list[tuple[str, str, list[str]]]:
    """Return the name, the version and the hashes of each package."""
    lines = text.replace("\\\n", " ").splitlines()
    found = [(re.match(r"([\w.-]+)==([\w.!+-]+)", line), line) for line in lines]
    return [(pin[1], pin[2], re.findall(r"sha256:(\w+)", line)) for pin, line in found if pin]


def _component(pin: tuple[str, str, list[str]]) -> dict[str, object]:
    name, version, hashes = pin
    purl = f"pkg:pypi/{name}@{version}"
    files = {"type": "distribution", "url": purl, "hashes": [{"alg": "SHA-256", "content": one} for one in hashes]}
    own = {"type": "library", "bom-ref": purl, "name": name, "version": version}
    return {**own, "purl": purl, "externalReferences": [files]}


if __name__ == "__main__":
    main()
