"""``affuse.Client``: the service of another process or machine, from Python."""
