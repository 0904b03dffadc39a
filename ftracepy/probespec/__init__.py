"""Kernel probes as people write them: names and types of arguments resolved by BTF into what every kernel's tracefs takes."""
