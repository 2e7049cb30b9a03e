"""The messages of RFC 7644, without storage and without HTTP."""
