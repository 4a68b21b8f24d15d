"""Which model runs, and which scan goes into which of its channels, is named or refused, never guessed."""

from __future__ import annotations

import numpy as np
import pytest

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.client.scan import Scan, frame_of
from segint_grpc.client.segmentation import assign_channels, choose_version
from segint_grpc.domain.geometry import Geometry


def offered(*ids: str) -> Model_pb2.ModelsCollection:
    versions = [Model_pb2.ModelVersion(ID=model_id) for model_id in ids]
    return Model_pb2.ModelsCollection(Models=[Model_pb2.ModelFamily(ModelVersions=versions)])


def family(*channel_ids: str) -> Model_pb2.ModelFamily:
    channels = [Model_pb2.ModelChannelDescription(ChannelID=channel_id) for channel_id in channel_ids]
    return Model_pb2.ModelFamily(FamilyDescription=Model_pb2.ModelFamilyDescription(InputChannels=channels))


def scan() -> Scan:
    geometry = Geometry((1, 1, 1), (1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0))
    return Scan(np.zeros((1, 1, 1), np.int16), geometry, frame_of(geometry), "made for a test")


def test_the_named_model_is_chosen_and_the_only_one_needs_no_name() -> None:
    assert choose_version(offered("a", "b"), "b")[1].ID == "b"
    assert choose_version(offered("a"), "")[1].ID == "a"


@pytest.mark.parametrize(
    ("ids", "model_id", "sentence"),
    [
        (("Thorax", "Pelvis"), "", "several models.*Thorax.*Pelvis"),
        (("Thorax", "Pelvis"), "thorax", "Did you mean 'Thorax'"),
        (("Thorax",), "Brain", "no model 'Brain'"),
        ((), "", "offers no model"),
    ],
)
def test_a_model_that_is_not_there_is_refused_with_what_is(
    ids: tuple[str, ...], model_id: str, sentence: str
) -> None:
    with pytest.raises(errors.UnknownModel, match=f"(?s){sentence}"):
        choose_version(offered(*ids), model_id)


def test_the_scan_fills_the_one_channel_that_is_not_named_in_the_familys_order() -> None:
    main, ct = scan(), scan()
    assert assign_channels(family("1"), main, {}) == {"1": main}
    channels = assign_channels(family("PET", "CT"), main, {"CT": ct})
    assert list(channels) == ["PET", "CT"]
    assert channels["PET"] is main
    assert channels["CT"] is ct


@pytest.mark.parametrize(
    ("channel_ids", "named"), [(("PET", "CT"), ()), (("CT",), ("CT",)), (("CT",), ("MR",)), ((), ())]
)
def test_scans_that_do_not_fill_the_channels_are_refused(
    channel_ids: tuple[str, ...], named: tuple[str, ...]
) -> None:
    with pytest.raises(errors.UnusableInput, match="Name every channel but one"):
        assign_channels(family(*channel_ids), scan(), {channel_id: scan() for channel_id in named})
