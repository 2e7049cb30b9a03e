"""scim2-server with its in-memory store, filled from the file named by BENCH_DATA."""

import json
import os
from pathlib import Path
from typing import Any

from scim2_server.memory import InMemoryStorage
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.utils import load_default_provider


def create_app() -> Any:
    """Make the application. Each worker has its own copy of the store, so they differ after a write."""
    provider = load_default_provider()
    models: dict[str | None, Any] = {type.name: provider.model_for(type) for type in provider.resource_types}
    data = json.loads(Path(os.environ["BENCH_DATA"]).read_text())
    storage = InMemoryStorage()
    storage.resources = [models[kind].model_validate(document) for kind in data for document in data[kind]]
    return BearerTokenApplication(storage, provider, bearer_tokens=[os.environ["BENCH_TOKEN"]])
