"""A process for tests to kill: works on the store of a home and says on stdout what it was promised.

`work` takes jobs through their lives, one line for each promise: `received ID SHA256-OF-BODY`, `queued ID`,
`succeeded ID SHA256-OF-RESULT`, `cancelled ID`, `family SHA256-OF-BODY`. `hang` stops in the middle of a
large write, which it announces with `inside`.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path

from segint_grpc.domain.jobs import Result, new_job_id
from segint_grpc.domain.models import ConstraintPolicy
from segint_grpc.home import Home
from segint_grpc.store import Store, open_store
from segint_grpc.store.media import MediaKind
from segint_grpc.store.schema import JobTable, OpinionTable
from segint_grpc.store.store import utc_now
from tests.fakes.stores import LEASE_S, new_job

MIB = 1024 * 1024


def say(*words: str) -> None:
    os.write(1, (" ".join(words) + "\n").encode())


def publish(store: Store, kind: MediaKind, final: Path) -> str:
    content = os.urandom(100_000)
    temporary = store.media.temporary(kind)
    temporary.write_bytes(content)
    store.media.publish(temporary, final)
    return hashlib.sha256(content).hexdigest()


def live_one_job(store: Store, number: int) -> None:
    job_id = new_job_id()
    sha256 = publish(store, MediaKind.BODY, store.media.body_path(job_id))
    store.jobs.receive(new_job(utc_now(), id=job_id, body_sha256=sha256), 1_000_000)
    say("received", job_id, sha256)
    store.jobs.queue(job_id, ["a warning"])
    say("queued", job_id)
    if number % 3 == 0:
        store.jobs.cancel(job_id)
        say("cancelled", job_id)
        return
    claimed = store.jobs.claim("slot-0", LEASE_S)
    assert claimed
    store.jobs.report(claimed[1], 50, "infer")
    sha256 = publish(store, MediaKind.RESULT, store.media.result_path(claimed[0].id))
    store.jobs.succeed(claimed[1], Result(100_000, sha256))
    say("succeeded", claimed[0].id, sha256)


def work(store: Store) -> None:
    number = 0
    while True:
        number += 1
        live_one_job(store, number)
        body = os.urandom(50_000)
        store.models.import_family("Thorax", [f"v{number}", "v"], body, ConstraintPolicy.WARN)
        say("family", hashlib.sha256(body).hexdigest())


def hang(store: Store) -> None:
    with store.jobs._database.write() as transaction:
        transaction.change(JobTable.update(state="succeeded", percent=100))
        opinion = {"kind": "feedback", "segmentation_id": "", "received_at": utc_now()}
        for _ in range(8):
            transaction.change(OpinionTable.insert(body=os.urandom(MIB), **opinion))
        say("inside")
        signal.pause()


if __name__ == "__main__":
    with open_store(Home(Path(sys.argv[2]))) as opened:
        {"work": work, "hang": hang}[sys.argv[1]](opened)
