"""Trace Linux through tracefs alone: no BPF, no kernel module, no compiler on the target."""

__version__ = "0.1.0"
