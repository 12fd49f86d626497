"""The network of a recipe, and its folder: written, read, shared on the Hub."""
