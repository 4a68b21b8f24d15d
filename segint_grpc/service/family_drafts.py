"""Makes a whole family of what a person wrote: what has a sensible default gets it, the rest is asked for."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from generated.radiomics.Model_pb2 import (
    ModelChannelConstraints,
    ModelConstraints,
    ModelFamily,
    RegulatoryFramework,
    Structure,
)
from segint_grpc import errors
from segint_grpc.service.family_rules import check_family, parse_family
from segint_grpc.service.family_warnings import contradictions

MODALITIES = ModelChannelConstraints.ModalityTypes
BODY_PARTS = ModelConstraints.BodyPartExaminedType
GENDERS = ModelConstraints.GenderType
STATUSES = RegulatoryFramework.StatusEnum
TYPES = Structure.StructureType

LANGUAGE = "en"
CHANNEL_ID = "1"
"""The channel of a family that describes none."""

COLORS = (
    (230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48), (145, 30, 180),
    (70, 240, 240), (240, 50, 230), (210, 245, 60), (250, 190, 212), (0, 128, 128), (170, 110, 40),
)  # fmt: skip
"""For structures without one, in turn; an unset colour would be black."""


@dataclass(frozen=True)
class Wishes:
    """What is said beside a family, by the enums' names: for whatever the family itself leaves open."""

    modalities: Sequence[str] = ()
    body_parts: Sequence[str] = ()
    gender: str = ""
    regulatory_status: str = ""
    external_structures: Sequence[str] = ()


def complete(written: Any, wishes: Wishes, at: datetime) -> ModelFamily:
    """Return the family that `written` (a presence.WrittenFamily, which is changed) and `wishes` describe.

    Every enum is set in it, and `at` stands for versions that don't say when they were made.

    Raises:
        InvalidFields: something is missing or unknown; each field is named.
        InvalidModel: the versions of this family could not run.
    """
    draft = _Draft(written, wishes)
    draft.fill(at)
    if draft.faults:
        raise errors.InvalidFields(draft.faults)
    family = parse_family(written.SerializeToString())
    check_family(family)
    if faults := list(contradictions(family)):
        raise errors.InvalidModel(" ".join(faults))
    return family


class _Draft:
    """A family on its way to be whole; `faults` are what a person has to mend, by field."""

    def __init__(self, written: Any, wishes: Wishes) -> None:
        self.faults: dict[str, str] = {}
        self._family = written
        self._about = written.FamilyDescription
        self._wishes = wishes

    def fill(self, at: datetime) -> None:
        """Fill in what can be, and note what cannot."""
        _default(self._family, "LanguageCode", LANGUAGE)
        _default(self._about, "Name", self._family.CanonicalName)
        if not self._about.InputChannels:
            self._about.InputChannels.add(ChannelID=CHANNEL_ID)
        self._fill_modalities()
        self._fill_patients()
        for version in self._family.ModelVersions:
            self._fill_version(version, at)
        self._check_externals()

    def _fill_modalities(self) -> None:
        wanted = list(self._numbers("modalities", MODALITIES, self._wishes.modalities))
        for number, channel in enumerate(self._about.InputChannels):
            accepted = channel.Constraints.AcceptedModalities
            if not accepted:
                accepted.extend(wanted)
            if not accepted:
                self.faults.setdefault(
                    "modalities",
                    f"Say which modalities the channel {channel.ChannelID or number!r} takes, for instance "
                    "CT or MR_T1: left open it would read as CT.",
                )
        names = (
            MODALITIES.Name(m) for c in self._about.InputChannels for m in c.Constraints.AcceptedModalities
        )
        _default(self._about, "Modalities", ", ".join(dict.fromkeys(names)))

    def _fill_patients(self) -> None:
        constraints = self._about.Constraints
        if not constraints.BodyPartsExamined:
            constraints.BodyPartsExamined.extend(
                self._numbers("body_parts", BODY_PARTS, self._wishes.body_parts)
            )
        if not constraints.BodyPartsExamined:
            self.faults.setdefault(
                "body_parts",
                "Say for which body parts the family is, for instance Chest or WholeBody: left open it would "
                "read as Abdomen.",
            )
        gender = self._numbers("gender", GENDERS, [self._wishes.gender or "Any"])
        _default(constraints, "Gender", next(gender, GENDERS.Value("Any")))

    def _fill_version(self, version: Any, at: datetime) -> None:
        _default(version, "LanguageCode", LANGUAGE)
        if not version.HasField("CreatedOn"):
            version.CreatedOn.FromDatetime(at)
        for number, structure in enumerate(version.Structures):
            self._fill_structure(structure, number)
        status = self._numbers(
            "regulatory_status", STATUSES, [self._wishes.regulatory_status or "Investigational"]
        )
        wanted = next(status, STATUSES.Value("Investigational"))
        for framework in version.RegulatoryFrameworks:
            _default(framework, "Status", wanted)

    def _fill_structure(self, structure: Any, number: int) -> None:
        _default(structure, "StructureID", str(number + 1))
        outline = structure.StructureID in self._wishes.external_structures
        _default(structure, "Type", TYPES.Value("External" if outline else "Organ"))
        channels = self._about.InputChannels
        if len(channels) == 1:
            _default(structure, "InputChannelID", channels[0].ChannelID)
        if not structure.HasField("Color"):
            red, green, blue = COLORS[number % len(COLORS)]
            structure.Color.R, structure.Color.G, structure.Color.B = red, green, blue

    def _check_externals(self) -> None:
        known = [s.StructureID for version in self._family.ModelVersions for s in version.Structures]
        strangers = [name for name in self._wishes.external_structures if name not in known]
        if strangers:
            there = ", ".join(dict.fromkeys(known)) or "none"
            self.faults["external_structures"] = (
                f"There is no StructureID {', '.join(strangers)}; there is {there}."
            )

    def _numbers(self, field: str, enum: EnumTypeWrapper, names: Sequence[str]) -> Iterator[int]:
        """Yield the numbers of `names`, in any case; note those that the enum does not have."""
        known = {name.casefold(): name for name in enum.DESCRIPTOR.values_by_name}
        for name in names:
            if name.casefold() in known:
                yield enum.Value(known[name.casefold()])
                continue
            near = difflib.get_close_matches(name.casefold(), known, n=3) or list(known)[:12]
            there = ", ".join(known[guess] for guess in near)
            self.faults[field] = f"There is no {name!r}; there is {there}."


def _default(message: Any, field: str, value: Any) -> None:
    """Set a field that is unset, or an empty text."""
    if not message.HasField(field) or getattr(message, field) == "":
        setattr(message, field, value)
