"""Scheduling: admission of requests, fair sharing of devices, and the workers."""
