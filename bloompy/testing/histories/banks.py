"""Transfers between accounts: the sum of all balances is always the same. Operation: `read`, which returns `(account, balance)` pairs."""

from __future__ import annotations

from bloompy.testing.histories.history import History
from bloompy.testing.histories.operation import literal
from bloompy.testing.histories.result import Result, Violation, judged


def check_bank(history: History, *, total: int, negative: bool = False) -> Result:
    """Check that every read of all accounts gives the same total.

    Kinds of violations: "total", "negative".

    Args:
        history: of operations; each `read` returns a dict, or a tuple of pairs, of accounts and balances.
        total: the sum of all balances.
        negative: whether a balance may be negative.
    """
    reads = [each for each in history if each.function == "read" and each.ok]
    violations = []
    for read in reads:
        balances = dict(read.result)
        found = sum(balances.values())
        if found != total:
            violations.append(
                Violation("total", f"{read.process} read a total of {found:,} instead of {total:,}: {literal(read.result)}", (read,))
            )
        below = [account for account, balance in balances.items() if balance < 0]
        if below and not negative:
            text = f"{read.process} read {literal(balances[below[0]])} in the account {literal(below[0])}"
            violations.append(Violation("negative", text, (read,)))
    return judged("a bank with a constant total", violations, history, {"reads": len(reads)})
