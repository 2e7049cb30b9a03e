"""SCIM over HTTP: views, authentication, errors and the log of requests."""
