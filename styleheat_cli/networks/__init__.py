"""Networks: torch.nn only. No files, no devices, no downloads."""
