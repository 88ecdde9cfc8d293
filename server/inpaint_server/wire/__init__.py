"""The wire protocol: validation and creation of messages, uploads, and the service."""
