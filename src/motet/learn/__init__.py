"""Learning: recipes as rows of choices, the families they choose from, and what a device and the server compute."""
