"""Transactions and the anomalies in their histories, from cycles of dependencies.

K. Kingsbury, P. Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations", VLDB 2020; A. Adya, "Weak Consistency: A
Generalized Theory and Optimistic Implementations for Distributed Transactions", 1999.
"""

from bloompy.testing.histories.transactions.isolation import Isolation, isolated
from bloompy.testing.histories.transactions.levels import LEVELS

__all__ = ["LEVELS", "Isolation", "isolated"]
