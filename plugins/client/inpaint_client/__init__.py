"""The client of the daemon: pure Python, shared by the plug-ins and the command line."""
