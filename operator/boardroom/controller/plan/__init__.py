"""Pure functions from a board and its settings to the manifests of the objects that it owns."""
