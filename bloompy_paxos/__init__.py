"""Agreement in rules: a replicated log that Python programs can trust with data, and the protocol that it rests on.

`bloompy_paxos.synod` is Paxos for one value, as the papers tell it. `bloompy_paxos.multipaxos` is the log, `bloompy_paxos.state` makes
any program of inputs and tables a replicated one by it. How they work, and how they were tested: docs/paxos.md.
"""
