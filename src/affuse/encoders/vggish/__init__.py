"""VGGish (Hershey et al., 2017): log-mel patches of 0.96 s to 128 numbers each."""
