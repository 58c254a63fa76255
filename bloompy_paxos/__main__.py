"""`python -m bloompy_paxos`: the same commands as `bloompy paxos`."""

from bloompy_paxos.commands import paxos

if __name__ == "__main__":
    paxos(prog_name="bloompy paxos")
