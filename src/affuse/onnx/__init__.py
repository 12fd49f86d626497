"""A model as one ONNX file, checked against the network."""
