"""`python -m styleheat_cli` is `styleheat`."""

from .app import main

if __name__ == "__main__":
    main()
