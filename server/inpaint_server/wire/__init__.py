"""The wire: messages checked and written, uploads received, the service of both."""
