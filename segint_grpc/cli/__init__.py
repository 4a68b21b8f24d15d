"""The command line: `segint`, `segint_run` and `segint_kill`. Each command is a file of its own."""
