"""Who may ask: bearer tokens against the API server, or against keys in files. Everything fails closed."""
