"""The daemon's core: answers requests with values, and knows neither gRPC nor protobuf."""
