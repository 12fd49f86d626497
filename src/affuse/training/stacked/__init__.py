"""Several trainings of one shape as one: parameters stacked, one pass per step for all of them.

A *stack* is a group of runs that train side by side. Each keeps its own rows, batch order, dropout, centers, schedule,
early stopping and best epoch, and nothing that it computes depends on its neighbours: batched matrix products compute
each slice as they would alone, every other operation stays within a run's row, and every batch has the recipe's size,
filled up where utterances run out. So a run's numbers are the same to the last bit whatever it is stacked with.
"""
