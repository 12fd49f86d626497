"""The REST service and the web page over a model: ``affuse serve``."""
