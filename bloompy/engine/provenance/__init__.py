"""Why a row holds and why another does not: derivations found by replaying ticks and asking rules backwards."""
