"""Where resources are kept: the interface in `base`, and the stores that fulfil it."""
