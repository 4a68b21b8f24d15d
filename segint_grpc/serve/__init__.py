"""`segint serve`: the parent process that starts core and gateway, restarts what dies and stops both."""
