"""Lets the scripts of named web pages call the service, as Microsoft's validator does (Fetch standard, CORS)."""

from flask import Flask, Response, request

_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match, If-None-Match, Prefer",
    "Access-Control-Expose-Headers": "ETag, Location, X-Request-Id",
    "Access-Control-Max-Age": "600",
}


def is_preflight(origins: tuple[str, ...]) -> bool:
    """Return whether this is the preflight request of a browser for one of these pages. It has no token."""
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    return asks and request.headers.get("Origin", "") in origins


def install(app: Flask, origins: tuple[str, ...]) -> None:
    """Allow these pages to read the responses."""
    if not origins:
        return

    @app.after_request
    def allow(response: Response) -> Response:
        origin = request.headers.get("Origin", "")
        if origin in origins:
            response.headers.update({"Access-Control-Allow-Origin": origin, **_ALLOWED})
            response.vary.add("Origin")
        return response
