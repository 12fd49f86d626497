"""A loss, a weighting, a fusion, an encoder and a corpus reader for affuse."""
