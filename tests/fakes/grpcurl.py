"""grpcurl as far as docs/grpc.md uses it, by way of `buf curl`, which learns everything by reflection."""

from __future__ import annotations

import argparse
import os
import sys

from tests.buf import BUF

URL = "http://localhost"


def buf_curl(arguments: list[str]) -> list[str]:
    """Return the command of buf that does what grpcurl does with `arguments`."""
    parser = argparse.ArgumentParser(prog="grpcurl")
    for flag in ("-plaintext", "-unix"):
        parser.add_argument(flag, action="store_true", required=True)
    parser.add_argument("-d", dest="data")
    parser.add_argument("socket")
    parser.add_argument("words", nargs="+")
    given = parser.parse_args(arguments)
    command = [
        str(BUF),
        "curl",
        "--protocol",
        "grpc",
        "--http2-prior-knowledge",
        "--unix-socket",
        given.socket,
    ]
    if given.words[0] == "list":
        return [*command, "--list-methods" if given.words[1:] else "--list-services", URL]
    data = [] if given.data is None else ["-d", "@-" if given.data == "@" else given.data]
    return [*command, *data, f"{URL}/{given.words[0]}"]


if __name__ == "__main__":
    command = buf_curl(sys.argv[1:])
    os.execv(command[0], command)
