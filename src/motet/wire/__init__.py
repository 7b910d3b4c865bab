"""What travels between devices and server: messages as bytes, codecs that shrink them, the ledger that counts."""
