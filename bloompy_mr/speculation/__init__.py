"""Policies of speculative execution: each adds candidates to FCFS by inheritance."""
