"""What SegInt knows of jobs and geometry, without a database, a network or a model library."""
