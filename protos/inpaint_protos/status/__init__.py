"""The messages for the details of gRPC errors, and their generated code."""
