"""The same run over a network, on Flower: a server, and nodes on which clients live."""
