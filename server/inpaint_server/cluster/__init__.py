"""Ray Serve as the engine: replicas on many GPUs and machines behind one daemon.

`RayBackend` runs in the daemon that clients talk to, and each `Replica` in a process of its own.
Only this room imports Ray, which the extra `ray` installs (docs/decisions/0047).
"""
