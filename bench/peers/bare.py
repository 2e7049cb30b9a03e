"""The limit: a Flask application that does nothing, or no more than a durable write."""

import os
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request

BODY = b'{"text":"' + b"x" * 689 + b'"}'  # 700 bytes
LINE = b"x" * 1_023 + b"\n"

app = Flask(__name__)
lines = Path(os.environ["BENCH_DATA"]).with_name("lines").open("ab", buffering=0)


@app.get("/")
def get() -> Response:
    """Answer the same bytes always."""
    return Response(BODY, mimetype="application/scim+json")


@app.post("/")
def post() -> Any:
    """Parse the body and send it back."""
    return jsonify(request.get_json()), 201


@app.post("/append")
def append() -> Any:
    """Do the same once a line of 1 KB is on the disk."""
    body = request.get_json()
    lines.write(LINE)
    os.fdatasync(lines.fileno())
    return jsonify(body), 201
