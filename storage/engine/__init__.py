"""The TinyDB store's engine: journal, snapshot, versions, recovery."""
