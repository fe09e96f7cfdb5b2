"""The service in front of LoRAX: asks the members in one batch, and says who answered and who could not."""
