"""What a `.keras` file names, read from its `config.json` without Keras: whether that may run code.

Keras makes whatever object the file names, among all that the library has. Its safe mode refuses what is
known to be dangerous, and was got round again and again: CVE-2025-1550, CVE-2025-8747, CVE-2025-9906. So what
a file may name unasked is listed here: layers, operations and functions that compute and do nothing else.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONFIG = "config.json"
TRAINING = "compile_config"
CONFIG_BYTES_MAX = 64 * 1024 * 1024

_LAYERS = (
    r"Activation|ActivityRegularization|(Adaptive)?(Average|Max)Pool(ing)?[123]D|Add|AdditiveAttention"
    r"|(Alpha|Gaussian|Spatial)?Dropout([123]D)?|Attention|AvgPool[123]D|Average|BatchNormalization"
    r"|Bidirectional|CenterCrop|Concatenate|Conv(olution)?[123]D(Transpose)?|ConvLSTM[123]D|Cropping[123]D"
    r"|Dense|(Depthwise|Separable)(Conv|Convolution)[12]D|Dot|ELU|EinsumDense|Embedding|Flatten|GRU(Cell)?"
    r"|GaussianNoise|Global(Average|Avg|Max)Pool(ing)?[123]D|Group(Query)?(Attention|Normalization)|Identity"
    r"|InputLayer|LSTM(Cell)?|LayerNormalization|LeakyReLU|Masking|Maximum|Minimum|MultiHeadAttention|Multiply"
    r"|Normalization|PReLU|Permute|RMSNormalization|RNN|Random(Brightness|Contrast|Crop|Flip|Rotation"
    r"|Translation|Zoom)|ReLU|RepeatVector|Rescaling|Reshape|Resizing|SimpleRNN(Cell)?|Softmax"
    r"|SpectralNormalization|StackedRNNCells|Subtract|TimeDistributed|UnitNormalization|UpSampling[123]D"
    r"|ZeroPadding[123]D"
)
_ACTIVATIONS = (
    r"celu|elu|exponential|gelu|glu|hard_(shrink|sigmoid|silu|swish|tanh)|leaky_relu|linear|log_sigmoid"
    r"|log_softmax|mish|relu6?|selu|sigmoid|silu|soft_shrink|softmax|softplus|softsign|sparse_(plus|sigmoid)"
    r"|sparsemax|squareplus|swish|tanh|tanh_shrink|threshold"
)
_HARMLESS = re.compile(
    rf"keras\.layers ({_LAYERS})|keras(\.models)? (Functional|Model|Sequential)"
    r"|keras\.src\.models\.(functional Functional|model Model|sequential Sequential)"
    r"|keras(\.dtype_policies)? (Float)?DTypePolicy|keras\.src\.ops\.(image|math|nn|numpy) [A-Z]\w*"
    r"|keras\.(constraints|initializers|losses|metrics|optimizers|regularizers) [A-Z]\w*"
    r"|keras\.src\.backend\.torch\.optimizers\.\w+ [A-Z]\w*"
    r"|None __(keras_tensor|tensor|numpy|bytes|ellipsis|slice)__"
)
"""Module and class."""
_HARMLESS_FUNCTION = re.compile(rf"(builtins|keras\.activations) ({_ACTIVATIONS})")


def read_config(path: Path) -> Any:
    """Return the configuration of the `.keras` file `path`, without what it says of training.

    Raises:
        ValueError: it is no such file; the message says why.
        OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(CONFIG) as file:
            text = file.read(CONFIG_BYTES_MAX + 1)
    except KeyError:
        raise ValueError(f"it holds no {CONFIG}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"it is no zip archive that can be read: {error}") from error
    if len(text) > CONFIG_BYTES_MAX:
        raise ValueError(f"its {CONFIG} is longer than {CONFIG_BYTES_MAX} bytes")
    try:
        config = json.loads(text)
    except RecursionError:
        raise ValueError(f"its {CONFIG} is nested too deeply") from None
    if not isinstance(config, dict) or "class_name" not in config:
        raise ValueError(f"its {CONFIG} describes no model")
    # Models are loaded with compile=False: a loss of one's own makes no difference.
    return {**config, TRAINING: None}


def strangers(config: Any) -> list[str]:
    """Return what `config` names beyond the harmless, sorted, as in "keras.layers.Lambda"."""
    return sorted({name for name, known in _named(config) if not known})


def _named(config: Any) -> Iterator[tuple[str, bool]]:
    """Yield every object that `config` names, at any depth, and whether it is harmless."""
    waiting = [config]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += found
        elif isinstance(found, dict):
            waiting += found.values()
            if "class_name" in found:
                yield _judged(found)


def _judged(found: dict[str, Any]) -> tuple[str, bool]:
    module, name = found.get("module"), found["class_name"]
    pattern = _HARMLESS
    if name == "function":
        name, pattern = found.get("config"), _HARMLESS_FUNCTION
    shown = f"{module}.{name}" if module else str(name)
    return f"{shown:.80}", bool(pattern.fullmatch(f"{module} {name}"))
