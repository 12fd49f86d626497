"""Public classifiers of transformers as encoders: a clip in, the scores of its head out."""
