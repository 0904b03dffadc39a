"""Ratios against peers, run side by side on this machine: see scripts/bench."""
