"""Several coordinators of one board: one leads, and the others send to LoRAX only while it grants that."""
