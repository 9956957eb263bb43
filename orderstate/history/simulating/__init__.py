"""What `simulate` is made of. inputs: facilities and stock as values. scenarios: the networks that are compared.
staging: orders on disk, in time order. playing: one strategy over all orders. workers: the processes that do it.
result: what comes out. files: results on disk, whole or not at all.
"""
