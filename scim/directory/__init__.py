"""The use cases over a store: read, write, search, bulk, and what follows from other documents."""
