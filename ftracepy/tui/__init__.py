"""The live view: a Textual front of the same stream, rows and recordings that the commands have."""
