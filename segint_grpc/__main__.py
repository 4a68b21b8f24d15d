"""`python -m segint_grpc`: the core. The fork server comes first, before gRPC, SQLite and threads exist."""

from __future__ import annotations

import argparse
import os
import sys

from segint_grpc import allocator, errors, home, lifeline, locks, logs, networks, settings
from segint_grpc.worker import fork_server, machine

PATIENCE_S = 5.0
"""How long a core that was killed a moment ago may take to be gone."""


def main() -> int:
    """Run the core until SIGTERM; settings come from the environment and the home's segint.toml."""
    parser = argparse.ArgumentParser(prog="python -m segint_grpc", description="The SegInt core.")
    parser.add_argument("--home", help="folder of the server's files (SEGINT_HOME)")
    parser.add_argument("--grpc", metavar="HOST:PORT", help="address for gRPC clients (SEGINT_GRPC)")
    parser.add_argument("--allow", metavar="CIDR,…", help="networks that may connect (SEGINT_ALLOW)")
    parser.add_argument("--client-mode", help="open, token or network (SEGINT_CLIENT_MODE)")
    lifeline.add_arguments(parser)
    arguments = parser.parse_args()
    allocator.give_back_memory()
    try:
        if arguments.die_with_parent:
            lifeline.die_with_parent(arguments.ready_fd)
        home.private_umask()
        given = {name: getattr(arguments, name) for name in ("home", "grpc", "allow", "client_mode")}
        chosen = settings.load(given)
        host, _ = networks.parse_endpoint(chosen.grpc, "grpc")
        networks.check_exposure(chosen, "grpc", host)
        place = home.Home(chosen.home_path)
        place.create()
        refusal = f"Another core is running in the home {place.path}; stop it or choose another --home."
        with locks.locked(place.run / "core.lock", refusal, PATIENCE_S):
            logs.configure("core", place.logs, chosen.log_level, chosen.log_max_bytes, chosen.log_files)
            forks = fork_server.start(machine.threads(machine.slots(chosen.slots)))
            # gRPC writes a line to stderr for each handshake that fails, as often as anybody likes.
            os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
            from segint_grpc.server import run

            return run(chosen, place, forks, arguments.ready_fd)
    except (errors.StartRefused, errors.InvalidSetting, errors.NewerSchema) as error:
        sys.stderr.write(f"{error.message}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
