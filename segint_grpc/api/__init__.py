"""The gRPC side of the core: servicers that convert, call the service, and convert back."""
