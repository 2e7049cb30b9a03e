"""Your own SCIM endpoint. This one serves Tinyscim's application; put yours in its place."""

from tinyscim.app import create_app
from tinyscim.config.tokens import new_token
from tinyscim.storage.memory import MemoryStore

TOKEN, _entry = new_token("entra")
app = create_app({"tokens": [_entry]}, store=MemoryStore())
