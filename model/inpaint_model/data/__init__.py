"""Network inputs: images, masks, samplers, and the devices they are moved to."""
