"""Training: how the embedded family was made."""
