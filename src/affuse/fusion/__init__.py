"""Fusions: feature sequences to one embedding. One file per fusion."""
