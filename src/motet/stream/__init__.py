"""The stream on a device: arrivals and buffer, what is missing or degraded, and how good a sample looks."""
