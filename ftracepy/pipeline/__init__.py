"""Source + stream + tool + sink: the only place that wires, for every front end; a module per command."""
