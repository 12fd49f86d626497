"""What the page and the API say about a served model beyond its answers."""
