"""The bulk backend: components evaluated on columns of integers instead of row by row (design §4).

Values are encoded as integers (`codes`, `columns`, `spaces`), rows packed into single keys (`packing`), duplicates removed by maps
and hashing (`distinct`), rules compiled to pipelines of column operations (`operations`, `compile`) and run semi-naively
(`stores`, `joins`, `groups`, `merged`, `fixpoint`). The engine sees `bulk` only. What columns cannot do is refused, and generated
Python does it instead: a result never depends on who computed it.
"""
