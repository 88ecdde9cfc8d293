"""What networks are fed: pictures, holes, random draws, and the devices they are fed on."""
