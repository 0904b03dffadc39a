"""Pure functions from batches of events to calls, execs, tasks and counts; they open nothing and print nothing."""
