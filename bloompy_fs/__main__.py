"""`python -m bloompy_fs`: the same commands as `bloompy fs`."""

from bloompy_fs.commands import fs

if __name__ == "__main__":
    fs(prog_name="bloompy fs")
