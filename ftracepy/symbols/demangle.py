"""C++ and Rust names as their authors wrote them, where the library for it is installed."""

from __future__ import annotations

import re
from functools import lru_cache

_RUST_HASH = re.compile(r"::h[0-9a-f]{16}$")


@lru_cache(maxsize=1 << 14)
def demangled(name: str) -> str:
    """The name in its language, `name` itself where it is not mangled or pydemumble is missing."""
    if not name.startswith(("_Z", "_R", "__Z")):
        return name
    try:
        import pydemumble
    except ImportError:
        return name
    return _RUST_HASH.sub("", pydemumble.demangle(name)) or name


def plain(name: str) -> str:
    """A demangled name without its parameters: what people type."""
    text = demangled(name)
    return text.partition("(")[0] if text != name else name
