"""Figures of merit: accuracy in all its forms, flags against the truth, statistics over seeds."""
