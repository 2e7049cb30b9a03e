"""The limit: a Flask application that does nothing."""

from typing import Any

from flask import Flask, Response, jsonify, request

BODY = b'{"text":"' + b"x" * 689 + b'"}'  # 700 bytes

app = Flask(__name__)


@app.get("/")
def get() -> Response:
    """Return the same bytes every time."""
    return Response(BODY, mimetype="application/scim+json")


@app.post("/")
def post() -> Any:
    """Parse the body and send it back."""
    return jsonify(request.get_json()), 201
