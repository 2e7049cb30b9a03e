"""Keeps a SQLite table equal to the directory of a Tinyscim service."""

import json
import os
import sqlite3
import time

import httpx

URL, TOKEN = os.environ.get("TINYSCIM_URL", "http://127.0.0.1:8000"), os.environ["TINYSCIM_TOKEN"]
http = httpx.Client(base_url=URL, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
db = sqlite3.connect("directory.sqlite")
db.execute("CREATE TABLE IF NOT EXISTS resources (id TEXT PRIMARY KEY, type TEXT, data TEXT)")
db.execute("CREATE TABLE IF NOT EXISTS members (group_id TEXT, member TEXT, PRIMARY KEY (group_id, member))")
db.execute("CREATE TABLE IF NOT EXISTS progress (cursor TEXT)")


def apply(event):
    id, kind, data = event["resource"]["id"], event["type"].split(".")[1], event["data"]
    if kind == "member_added":
        db.execute("INSERT INTO members VALUES (?, ?)", (id, data["value"]))
    elif kind == "member_removed":
        db.execute("DELETE FROM members WHERE group_id = ? AND member = ?", (id, data["value"]))
    elif kind == "deleted":
        db.execute("DELETE FROM resources WHERE id = ?", (id,))
        db.execute("DELETE FROM members WHERE group_id = ?", (id,))
    else:
        db.execute("REPLACE INTO resources VALUES (?, ?, ?)", (id, event["resource"]["type"], json.dumps(data)))


def save(cursor):
    db.execute("DELETE FROM progress")
    db.execute("INSERT INTO progress VALUES (?)", (cursor,))


def take_snapshot():
    with db, http.stream("GET", "/api/snapshot") as response:  # one transaction: all of it or nothing
        response.raise_for_status()
        db.execute("DELETE FROM resources")
        db.execute("DELETE FROM members")
        for line in map(json.loads, response.iter_lines()):
            save(line["cursor"]) if "cursor" in line else apply(line)


def follow():
    found = db.execute("SELECT cursor FROM progress").fetchone()
    response = http.get("/api/events", params={"after": found[0], "limit": 1000, "wait": 25}) if found else None
    if response is None or response.status_code == httpx.codes.GONE:
        take_snapshot()
        return
    page = response.raise_for_status().json()
    with db:  # the events and the cursor after them, or nothing
        for event in page["events"]:
            apply(event)
        save(page["cursor"])


while __name__ == "__main__":
    try:
        follow()
    except httpx.HTTPError:  # the service restarts, or is busy
        time.sleep(1)
