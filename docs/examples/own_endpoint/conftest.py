"""The fixture `tinyscim_endpoint` starts the endpoint under test, and says where it is."""

from threading import Thread

import pytest
from werkzeug.serving import make_server

from app import TOKEN, app


@pytest.fixture(scope="session")
def tinyscim_endpoint():
    server = make_server("127.0.0.1", 0, app, threaded=True)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api/scim/v2", TOKEN
    server.shutdown()
