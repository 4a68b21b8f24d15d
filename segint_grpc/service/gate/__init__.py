"""The gate: no version is offered that has not shown that it runs and where its masks land.

`gate.py` runs a check step by step; `course.py` says what the steps are and judges them; `trials.py` holds
the orientations and what each of them proves; `scans.py` and `phantoms.py` make what the model is given;
`bench.py` runs it in a process of its own.
"""

from segint_grpc.service.gate.gate import Gate

__all__ = ["Gate"]
