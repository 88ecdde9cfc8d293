"""One worker thread for each device, and the queue before them."""
