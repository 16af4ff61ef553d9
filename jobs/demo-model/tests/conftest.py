"""Puts the scripts on the path, and reads the tokenizer once."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

from encoder import FastEncoder  # noqa: E402: only importable now


@pytest.fixture(scope="session")
def model_folder() -> pathlib.Path:
    return HERE / "model"


@pytest.fixture(scope="session")
def sample_folder() -> pathlib.Path:
    return HERE.parent / "sample-data"


@pytest.fixture(scope="session")
def encoder(model_folder) -> FastEncoder:
    return FastEncoder(str(model_folder))
