"""Authentication of callers: the API server reviews bearer tokens, or key files hold them. Every check fails closed."""
