"""The messages of gRPC's standard health check, and their generated code."""
