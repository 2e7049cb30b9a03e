"""A check of an endpoint by what Entra, its public validator and its gallery tests send."""
