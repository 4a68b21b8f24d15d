"""Back ends: what runs a model of one kind. Each is one file and an entry point in setup.cfg."""
