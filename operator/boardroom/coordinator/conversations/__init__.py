"""Conversations: what members were asked and answered before."""
