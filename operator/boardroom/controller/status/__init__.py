"""Conditions of a board and its members: pure functions of the observed live objects."""
