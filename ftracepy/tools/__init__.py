"""One file per tool: what it watches, what a row is, and how events become rows. The folder is the registry (kit.py)."""
