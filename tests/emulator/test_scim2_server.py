"""The emulator against scim2-server, which nobody here wrote: what it finds there is data, not a pass mark."""

import httpx
import pytest

from entra.client import Endpoint as Client
from entra.client import Wire
from entra.mapping import entra_defaults
from entra.people import demo
from entra.validate.cases import Status
from entra.validate.runner import Run
from tests.emulator.helpers import Job

pytest.importorskip("scim2_server", reason="scim2-server is not installed")
