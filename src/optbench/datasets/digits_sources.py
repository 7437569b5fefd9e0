"""Digits, from inside the scikit-learn wheel: no network."""

import io
from collections.abc import Callable, Mapping

import numpy as np
from sklearn.datasets import load_digits


def from_scikit_learn() -> dict[str, bytes]:
    """Pixels [1797, 8, 8] and labels [1797] as two NumPy files of uint8."""
    digits = load_digits()
    arrays = {"images.npy": digits.images, "labels.npy": digits.target}
    return {name: _npy(array.astype(np.uint8)) for name, array in arrays.items()}


def _npy(array: np.ndarray) -> bytes:
    """An array as the bytes of a NumPy file, without pickle."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


SOURCES: Mapping[str, Callable[[], dict[str, bytes]]] = {"scikit-learn": from_scikit_learn}
