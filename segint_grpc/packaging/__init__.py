"""Models as their authors hand them on: a folder or a .segint.zip, described by segint-model.toml."""
