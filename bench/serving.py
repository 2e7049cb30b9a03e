"""gunicorn.conf.py's settings for other applications, which have no store to open."""

from runpy import run_path

_TINYSCIM = ("wsgi_app", "post_worker_init")

globals().update(
    {
        name: value
        for name, value in run_path("gunicorn.conf.py").items()
        if not name.startswith("_") and name not in _TINYSCIM
    }
)
