"""Commands: what the user types. The only code that knows Typer, rich and stdout."""
