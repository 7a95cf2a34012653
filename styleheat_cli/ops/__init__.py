"""Operations: each described once, torch-free to import."""
