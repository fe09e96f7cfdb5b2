"""What a board becomes: pure functions from a board and its settings to the manifests of the objects it owns."""
