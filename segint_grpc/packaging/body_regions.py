"""Which part of the body a structure belongs to, by the words of its name: a guess for new manifests."""

from __future__ import annotations

import re
from collections.abc import Sequence

REGIONS_MAX = 3
"""More than so many parts are the whole body."""

_REGIONS = {
    "Brain": "brain cerebellum cerebrum brainstem hippocampus thalamus ventricles chiasm pituitary glioma",
    "HeadNeck": "parotid larynx pharynx mandible thyroid submandibular eye lens cochlea tongue face skull",
    "Chest": "lung lungs heart atrium ventricle myocardium trachea esophagus oesophagus airway aorta breast",
    "Abdomen": "spleen liver kidney kidneys pancreas stomach gallbladder adrenal duodenum colon bowel portal",
    "Pelvis": "bladder prostate rectum uterus cervix femur hip sacrum gluteus iliac seminal",
}


def regions(structures: Sequence[str]) -> list[str]:
    """Return the parts of the body, by DICOM's names, in which `structures` lie; none where no name tells."""
    said = {word for name in structures for word in re.findall("[a-z]+", name.casefold())}
    found = [region for region, words in _REGIONS.items() if said & set(words.split())]
    return found if len(found) <= REGIONS_MAX else ["WholeBody"]
