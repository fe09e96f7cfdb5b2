"""Who may ask: bearer tokens reviewed by the API server, or compared with keys in files. Everything fails closed."""
