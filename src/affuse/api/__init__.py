"""The verbs as functions: what ``affuse train`` does is ``affuse.train``. The command line calls these and prints."""
