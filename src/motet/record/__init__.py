"""What a run leaves behind: its folder, checkpoints, history, result, and the report page."""
