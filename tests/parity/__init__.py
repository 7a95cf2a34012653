"""Parity: ours against stored outputs of the official implementation, on weights that a rule generates."""
