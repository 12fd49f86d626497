"""A report from its sections: of a comparison, of one run, of a model on a corpus."""
