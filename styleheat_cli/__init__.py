"""styleheat: a video editor for talking faces."""

__version__ = "0.1.0"
