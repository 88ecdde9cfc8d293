"""The daemon: owns the device, answers the wire."""
