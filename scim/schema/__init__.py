"""RFC 7643: attributes, resource types and the validation that follows from them."""
