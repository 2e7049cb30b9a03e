"""The example that keeps a SQLite table equal to the directory, as a process, and what the table must have."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

from config import edit

PROGRAM = Path(__file__).parents[2] / "docs" / "examples" / "follow_directory" / "app.py"
DERIVED = ("groups", "members")


class Follower:
    def __init__(self, service, folder):
        self.service, self.folder = service, folder
        self.token = edit.add_token(service.folder / "config.toml", "follower", scope="events")

    @contextmanager
    def running(self):
        """Run the example until the context ends, and kill it."""
        environment = {**os.environ, "TINYSCIM_URL": self.service.url, "TINYSCIM_TOKEN": self.token}
        with (self.folder / "follower.log").open("a") as log:
            process = subprocess.Popen([sys.executable, PROGRAM], cwd=self.folder, env=environment, stderr=log)
            try:
                yield
                assert process.poll() is None, (self.folder / "follower.log").read_text()
            finally:
                process.kill()
                process.wait()

    def table(self):
        with closing(sqlite3.connect(self.folder / "directory.sqlite")) as db:
            resources = {id: comparable(json.loads(data)) for id, data in db.execute("SELECT id, data FROM resources")}
            return resources, set(db.execute("SELECT group_id, member FROM members"))

    def wait_until_equal(self):
        """Wait until the table has what the service has, which does not change meanwhile."""
        wanted, found = directory(self.service), None
        for _ in range(300):
            try:
                if (found := self.table()) == wanted:
                    return
            except sqlite3.OperationalError:
                pass  # not created yet
            time.sleep(0.1)
        assert found == wanted


def directory(service):
    """The resources and memberships that SCIM returns."""
    found = [one for path in ("/Users", "/Groups") for one in every(service, path)]
    members = {(one["id"], member["value"]) for one in found for member in one.get("members", ())}
    return {one["id"]: comparable(one) for one in found}, members


def every(service, path):
    start, total = 1, 1
    while start <= total:
        page = service.send("GET", f"{path}?startIndex={start}&count=500").json()
        yield from page["Resources"]
        start, total = start + 500, page["totalResults"]


def comparable(resource):
    """A resource without what derives from others, and without a group's version, which changes with its members."""
    kept = {name: value for name, value in resource.items() if name not in DERIVED}
    if kept["meta"]["resourceType"] == "Group":
        kept["meta"] = {name: value for name, value in kept["meta"].items() if name not in ("version", "lastModified")}
    for urn, extension in kept.items():
        if isinstance(extension, dict) and "manager" in extension:
            kept[urn] = {**extension, "manager": {"value": extension["manager"]["value"]}}
    return kept
