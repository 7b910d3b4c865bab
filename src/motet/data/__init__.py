"""Data: the archive format, the catalogue of known sets, the simulator, and how samples are shared out to clients."""
