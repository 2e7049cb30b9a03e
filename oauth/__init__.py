"""Sign-in of OAuth clients: token requests, client authentication, access tokens. No HTTP of its own."""
