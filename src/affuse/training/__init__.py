"""From a corpus to a trained model: features, one run, comparisons, and a model measured on a corpus."""
