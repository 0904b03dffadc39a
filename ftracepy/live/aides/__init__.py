"""Helper threads that learn facts outside the ring buffer."""
