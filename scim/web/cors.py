"""Lets the scripts of named web pages call the service, as Microsoft's validator does (Fetch standard, CORS)."""

from flask import Flask, Response, request

_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match, If-None-Match, Prefer",
    "Access-Control-Expose-Headers": "ETag, Location, X-Request-Id",
    "Access-Control-Max-Age": "600",
}


def is_preflight(origins: tuple[str, ...]) -> bool:
    """Return whether a browser asks, without a token, if one of these pages may send a request."""
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    return asks and request.headers.get("Origin", "") in origins


def install(app: Flask, origins: tuple[str, ...]) -> None:
    """Tell browsers that these pages may read the answers."""
    if not origins:
        return

    @app.after_request
    def allow(response: Response) -> Response:
        origin = request.headers.get("Origin", "")
        if origin in origins:
            response.headers.update({"Access-Control-Allow-Origin": origin, **_ALLOWED})
            response.vary.add("Origin")
        return response
