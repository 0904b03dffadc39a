"""What a Linux system calls things: tasks, users, system calls, errno, signals, flags; plain look-ups, no tracing."""
