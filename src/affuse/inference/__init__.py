"""A clip -> windows -> a timeline -> files; needs a trained model, and nothing of training."""
