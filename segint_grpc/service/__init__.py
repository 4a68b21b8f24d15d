"""What the server does, behind every transport: one method for each thing a caller can ask for."""
