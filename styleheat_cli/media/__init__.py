"""Media: PyAV lives here and nowhere else."""
