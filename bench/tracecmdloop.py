"""A loop over a recording with trace-cmd's own Python module, run by a Python that has it: it prints events and nanoseconds."""

import sys
import time

import tracecmd  # type: ignore[import-not-found]

start = time.process_time_ns()
trace, events = tracecmd.Trace(sys.argv[1]), 0
while (event := trace.read_next_event()) is not None:
    events += 1
    _pid = event.pid
    _type = event.num_field("common_type")
print(events, time.process_time_ns() - start)
