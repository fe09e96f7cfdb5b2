"""The seam to inference: one protocol, one driver per engine, and errors that say cause and remedy."""
