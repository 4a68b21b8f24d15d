"""A client that speaks Velocity's HTTP: reads a scan, has it segmented, writes masks and pictures."""
