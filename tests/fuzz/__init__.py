"""A fuzzer that knows how model files are made, and lies about it: `python -m tests.fuzz`.

Byte flips are mostly refused at the door; what breaks a linter are valid files with absurd content.
So seeds are parsed into trees by the grammar of their format, the trees are changed where it hurts,
and what is written is still a file that a reader takes seriously.
"""
