"""The command line: it parses, calls one function of a lower layer, and lays out what went wrong."""
