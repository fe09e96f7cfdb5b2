"""The Boardroom operator: a board of LoRA agents on one shared GPU, with a coordinator in front of it."""

__version__ = "0.1.0"
