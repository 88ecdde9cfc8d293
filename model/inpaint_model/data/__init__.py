"""What networks are fed: images, holes, random draws, and the devices they are fed on."""
