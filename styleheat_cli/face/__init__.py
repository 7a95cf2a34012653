"""Face: where the face is. Receives networks, loads nothing of a family."""
