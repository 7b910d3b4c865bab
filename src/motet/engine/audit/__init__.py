"""What an eavesdropper recovers of clients' samples from what they send."""
