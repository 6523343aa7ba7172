"""What psql's tab key finds, in a terminal of its own."""

import os
import pty
import select
import sys
import time

# What is typed, and what must then stand there.
CASES = [
    ("SELECT * FROM ps_it\t", "ps_item "),
    ("SELECT * FROM ps_item WHERE pri\t", "price "),
    ("SELECT * FROM ps_other.f\t", "ps_other.far "),
    ("INSERT INTO ps_ord\t", "ps_order"),
    ("ALTER TABLE ps_item DROP CONSTRAINT ps_item_pr\t", "ps_item_price_check"),
    ("ALTER TABLE ps_item ALTER COLUMN na\t", "name "),
    ("DROP VIEW ps_v\t", "ps_view"),
    ("DROP SCHEMA ps_\t", "ps_other "),
    ("SET statement_time\t", "statement_timeout "),
    ("SHOW transaction_iso\t", "transaction_isolation "),
    ("SELECT pg_catalog.pg_get_constraintd\t", ""),
    ("\\d ps_ite\t", "ps_item"),
    ("\\dt ps_other.\t", "ps_other.far "),
    ("\\df pg_get_viewd\t", "pg_get_viewdef"),
    ("COMMENT ON TABLE ps_ord\t", "ps_order "),
    ("EXPLAIN SELECT * FROM ps_vie\t", "ps_view "),
]
LIMIT_S = 15


def read_until(fd, wanted, limit):
    """Reads until something stands there, or there is no more time."""
    out, end = b"", time.monotonic() + limit
    while wanted not in out and time.monotonic() < end:
        ready, _, _ = select.select([fd], [], [], 0.1)
        if ready:
            out += os.read(fd, 65536)
    return out


def main():
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="dumb", PAGER="cat", INPUTRC="/dev/null", PSQL_HISTORY="/dev/null")
        os.execvp("psql", ["psql", "-X", "-v", "PROMPT1=ready> "])
    read_until(fd, b"ready> ", LIMIT_S)
    for typed, wanted in CASES:
        os.write(fd, typed.encode())
        start = typed.rstrip("\t")
        out = read_until(fd, wanted.encode() if wanted else start.encode(), LIMIT_S)
        shown = out.replace(b"\x07", b"").decode(errors="replace")
        if wanted not in shown.replace(start.rsplit(" ", 1)[0], "", 1):
            sys.exit(f"{typed!r} became {shown!r}, wanted {wanted!r}")
        # The line is given up: an interrupt, and the next prompt.
        os.write(fd, b"\x03")
        read_until(fd, b"ready> ", LIMIT_S)
    os.write(fd, b"\\q\n")
    os.waitpid(pid, 0)


main()
