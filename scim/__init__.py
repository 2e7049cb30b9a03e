"""The SCIM 2.0 protocol: RFC 7643 (schema), RFC 7644 (protocol), RFC 9865 (cursors)."""
