"""The manual: a page for each tool and command, made from the files that define them (scripts/manual)."""
