"""Engines: who runs a round. They know everything below; nothing below knows them."""
