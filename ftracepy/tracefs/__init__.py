"""Every read and write below a tracefs root: one module per family of files, no state, the root is a parameter.

Functions that take `root` work on the whole tracefs or on one instance's folder alike.
"""

from ftracepy.tracefs.mount import ENV_ROOT, Tracefs, find

__all__ = ["ENV_ROOT", "Tracefs", "find"]
