"""Where the server is, and what every client checks in the same way. Programs print `did` lines and `ok`; anything else is
a failure."""

import os
import threading

HOST = os.environ.get("PGHOST", "127.0.0.1")
PORT = int(os.environ.get("PGPORT", "5432"))
DATABASE = os.environ.get("PGDATABASE", "duckmesh")
USER = os.environ.get("PGUSER", "tester")

# Runs for long on every server, and reads no table.
LONG = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"


def did(*what):
    """Says what a program has done without a fault: the grid of docs/compatibility.md is made of it."""
    print("did", *what, flush=True)


def equal(found, wanted):
    assert found == wanted, f"found {found!r}, wanted {wanted!r}"


def fails(state, of, run):
    """`run` must fail with that SQLSTATE; `of` gets it out of the driver's exception."""
    try:
        run()
    except Exception as error:  # noqa: BLE001 - each driver has its own
        found = of(error)
        assert found == state, f"found {found}, wanted {state}: {error!r}"
        return error
    raise AssertionError(f"should have failed with {state}")


def later(run, seconds=1.0):
    """Runs something in a while, beside what blocks here."""
    timer = threading.Timer(seconds, run)
    timer.daemon = True
    timer.start()
    return timer
