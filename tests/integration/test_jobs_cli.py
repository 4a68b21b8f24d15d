"""`segint job` against a whole core."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from generated.radiomics.Model_pb2 import (
    ClientInformation,
    SegmentationFeedback,
    SegmentationTelemetry,
    StructureComment,
)
from generated.radiomics.Primitives3D_pb2 import DoubleValue
from generated.segint.v1 import segmentation_pb2
from segint_grpc.cli.main import main
from segint_grpc.domain.jobs import new_job_id
from segint_grpc.home import Home
from tests.acceptance.velocity import channel, scan
from tests.fakes.cores import SAMPLE, RunningCore, running_core
from tests.fakes.stores import make_home

BODY = scan(channel(np.zeros((4, 8, 16), np.int16))).SerializeToString()

Segint = Callable[..., Awaitable[Result]]


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[RunningCore]:
    async with running_core(make_home(tmp_path)) as core:
        yield core


@pytest.fixture
def segint(core: RunningCore) -> Segint:
    return lambda *words: run(core.home, *words)


async def run(home: Home, *words: str | Path) -> Result:
    """Run `segint job` in a thread, so that the core can answer meanwhile."""
    arguments = ["job", *map(str, words), "--home", str(home.path)]
    return await asyncio.to_thread(CliRunner().invoke, main, arguments)


async def test_jobs_are_listed_a_line_each_for_programs(segint: Segint, core: RunningCore) -> None:
    failed, waiting = core.add_failed(BODY), core.add_waiting(warnings=("Thick slices.",))
    result = await segint("list")
    first, second = (line.split("\t") for line in result.output.splitlines())
    assert first[:3] == [waiting.id, SAMPLE, "received"]
    assert first[5:] == ["192.0.2.7", "1"]
    assert second[:3] == [failed.id, SAMPLE, "failed: The model failed."]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--state", "failed"), ["failed"]),
        (("--state", "unfinished"), ["waiting"]),
        (("--warnings",), ["waiting"]),
        (("--since", "1h", "--model", SAMPLE), ["waiting", "failed"]),
        (("--until", "2020-01-01"), []),
        (("--limit", "1"), ["waiting"]),
        (("--limit", "0", "--caller", "192.0.2.7"), ["waiting", "failed"]),
    ],
)
async def test_options_narrow_the_list(
    segint: Segint, core: RunningCore, words: tuple[str, ...], expected: list[str]
) -> None:
    names = {core.add_failed(BODY).id: "failed", core.add_waiting(warnings=("Thick.",)).id: "waiting"}
    records = json.loads((await segint("list", *words, "--json")).output)
    assert [names[record["segmentation_id"]] for record in records] == expected


async def test_a_time_that_is_none_is_told_with_examples(segint: Segint) -> None:
    result = await segint("list", "--since", "yesterday-ish")
    assert result.exit_code == 2
    assert "2026-11-23T14:30" in result.stderr


async def test_the_list_as_csv_and_json_lines_says_the_same(segint: Segint, core: RunningCore) -> None:
    await core.end(await core.submit(BODY))
    core.add_failed(BODY)
    lines = [json.loads(line) for line in (await segint("list", "--jsonl")).output.splitlines()]
    rows = list(csv.DictReader((await segint("list", "--csv")).output.splitlines()))
    assert [line["state"] for line in lines] == ["failed", "succeeded"]
    assert lines[0]["result_bytes"] is None
    assert lines[0]["error_code"] == "InternalError"
    for line, row in zip(lines, rows, strict=True):
        assert row["segmentation_id"] == line["segmentation_id"]
        assert row["percent"] == str(line["percent"])
        assert row["result_bytes"] == ("" if line["result_bytes"] is None else str(line["result_bytes"]))
    assert lines[1]["took_s"] >= lines[1]["waited_s"] >= 0


async def test_one_job_is_told_with_its_runs_and_timeline(segint: Segint, core: RunningCore) -> None:
    job_id = await core.submit(BODY)
    await core.end(job_id)
    shown = (await segint("show", job_id)).output
    assert f"Job        {job_id}\n" in shown
    assert "State      succeeded\n" in shown
    assert "Run 1      succeeded in slot-0, " in shown
    assert "state    succeeded\n" in shown
    assert shown.rstrip().endswith(
        "warning  Cut off by the edge of the scan: liver (front, back, right, left)."
    )
    told = json.loads((await segint("show", job_id, "--json")).output)
    assert told["job"]["job"]["state"] == "JOB_STATE_SUCCEEDED"
    missing = await segint("show", new_job_id())
    assert missing.exit_code == 2
    assert "does not exist" in missing.stderr


async def test_watching_one_job_ends_with_it_and_its_exit_code_tells_how(
    segint: Segint, core: RunningCore
) -> None:
    done = await segint("watch", await core.submit(BODY))
    assert done.exit_code == 0
    assert done.output.splitlines()[-1].endswith(f"{SAMPLE}\tsucceeded")
    failed = await segint("watch", core.add_failed(BODY).id, "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.output)["error"] == "The model failed."


async def test_jobs_are_cancelled_and_one_that_has_ended_stays_as_it_is(
    segint: Segint, core: RunningCore
) -> None:
    waiting, failed = core.add_waiting(), core.add_failed(BODY)
    result = await segint("cancel", waiting.id, failed.id)
    assert result.output == f"{waiting.id} is cancelled.\n{failed.id} is failed: The model failed.\n"


async def test_cancelling_and_retrying_are_told_to_programs_as_json(
    segint: Segint, core: RunningCore
) -> None:
    waiting, failed = core.add_waiting(), core.add_failed(BODY)
    ended = json.loads((await segint("cancel", waiting.id, failed.id, "--json")).output)
    assert [(job["segmentation_id"], job["state"]) for job in ended] == [
        (waiting.id, "cancelled"),
        (failed.id, "failed"),
    ]
    new = json.loads((await segint("retry", failed.id, "--json")).output)
    assert new["segmentation_id"] not in (waiting.id, failed.id)
    assert new["model_id"] == SAMPLE


async def test_a_retry_prints_the_new_job_and_how_to_watch_it(segint: Segint, core: RunningCore) -> None:
    result = await segint("retry", core.add_failed(BODY).id)
    new = result.stdout.strip()
    assert core.store.jobs.get(new)
    assert f"segint job watch {new}" in result.stderr
    await core.end(new)
    core.store.media.remove_body(new)
    again = await segint("retry", new)
    assert again.exit_code == 2
    assert "failed_body_retention_s" in again.stderr


async def test_a_job_is_deleted_only_with_a_yes(segint: Segint, core: RunningCore) -> None:
    job = core.add_failed(BODY)
    asked = await segint("delete", job.id)
    assert asked.exit_code == 2
    assert "--yes" in asked.stderr
    assert (await segint("delete", job.id, "--yes")).output == f"Removed {job.id}.\n"
    assert (await segint("list")).output == ""


async def test_the_input_is_fetched_whole_private_and_over_no_other_file(
    segint: Segint, core: RunningCore, tmp_path: Path
) -> None:
    job, out = core.add_failed(BODY), tmp_path / "scan.pb"
    result = await segint("input", job.id, "--out", out)
    assert result.stdout == f"{out}\n"
    assert out.read_bytes() == BODY
    assert out.stat().st_mode & 0o077 == 0
    out.write_bytes(b"mine")
    again = await segint("input", job.id, "--out", out)
    assert again.exit_code == 2
    assert out.read_bytes() == b"mine"


async def test_an_input_that_is_damaged_on_the_disk_leaves_no_file(
    segint: Segint, core: RunningCore, tmp_path: Path
) -> None:
    job, folder = core.add_failed(BODY), tmp_path / "out"
    folder.mkdir()
    core.store.media.body_path(job.id).write_bytes(BODY[:-1])
    result = await segint("input", job.id, "--out", folder / "scan.pb")
    assert result.exit_code == 1
    assert list(folder.iterdir()) == []


async def send(core: RunningCore, feedback: SegmentationFeedback) -> None:
    await core.segmentation.SendFeedback(segmentation_pb2.SendFeedbackRequest(feedback=feedback))


async def test_feedback_is_exported_with_names_and_missing_scores_stay_missing(
    segint: Segint, core: RunningCore
) -> None:
    job = core.add_failed(BODY)
    comments = [
        StructureComment(StructureID="1", Comments='=HYPERLINK("x")\nsecond line, "quoted"'),
        StructureComment(StructureID="9", Score=DoubleValue(Value=0)),
    ]
    about = SegmentationFeedback(
        SegmentationID=job.id,
        SegmentationAccepted=True,
        GeneralScore=DoubleValue(Value=4.5),
        StructureComments=comments,
    )
    await send(core, about)
    await send(core, SegmentationFeedback(SegmentationID="unknown", GeneralComments="Hm\x1b[2J"))
    stray, known = (json.loads(line) for line in (await segint("feedback", "--jsonl")).output.splitlines())
    assert known["structures"] == [
        {
            "structure_id": "1",
            "structure": "liver",
            "structure_score": None,
            "structure_comments": comments[0].Comments,
        },
        {"structure_id": "9", "structure": None, "structure_score": 0.0, "structure_comments": ""},
    ]
    assert (known["model_id"], known["family"], known["general_score"]) == (SAMPLE, "Centered Square", 4.5)
    assert (stray["model_id"], stray["general_score"], stray["structures"]) == (None, None, [])

    text = (await segint("feedback", "--csv")).output
    rows = list(csv.DictReader(text.splitlines(keepends=True)))
    assert [row["structure_score"] for row in rows] == ["", "", "0.0"]
    assert [row["general_score"] for row in rows] == ["", "4.5", "4.5"]
    assert rows[1]["structure_comments"] == f"'{comments[0].Comments}"
    assert rows[1]["accepted"] == "true"
    assert rows[0]["general_comments"] == "Hm [2J"

    shown = (await segint("feedback")).output
    assert len(shown.splitlines()) == 3
    assert "\x1b" not in shown
    assert json.loads((await segint("feedback", "--model", SAMPLE, "--json")).output) == [known]


async def test_telemetry_is_exported_with_the_model_of_its_job(segint: Segint, core: RunningCore) -> None:
    job = core.add_failed(BODY)
    sent = [
        SegmentationTelemetry(
            SegmentationID=job.id,
            UploadTimeInMilliseconds=1200,
            ClientInformation=ClientInformation(SoftwareVersion="4.1"),
        ),
        SegmentationTelemetry(ModelID="elsewhere", NumberOfRetries=2, ClientError=3),
        SegmentationTelemetry(ClientError=77),  # type: ignore[arg-type]
    ]
    for telemetry in sent:
        await core.segmentation.SendTelemetry(segmentation_pb2.SendTelemetryRequest(telemetry=telemetry))
    records = json.loads((await segint("telemetry", "--json")).output)
    assert [record["client_error"] for record in records] == ["77", "ProgressTimeout", None]
    assert [(record["model_id"], record["job_known"]) for record in records] == [
        (None, False),
        ("elsewhere", False),
        (SAMPLE, True),
    ]
    rows = list(csv.DictReader((await segint("telemetry", "--csv")).output.splitlines()))
    assert [row["upload_ms"] for row in rows] == ["0", "0", "1200"]
    assert len((await segint("telemetry", "--since", "1h")).output.splitlines()) == 3


async def test_without_a_server_the_command_says_how_to_start_one(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    result = await run(home, "list")
    assert result.exit_code == 1
    assert f"segint serve --home {home.path}" in result.stderr
