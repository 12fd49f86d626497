"""What the public functions give back: objects that show themselves and hold the files' numbers."""
