"""The table-driven encoder gives what the tokenizer gives, and marks what is to be learnt."""

import json

import pytest
from tokenizers import Tokenizer

from documents import SPLITS, DocumentWriter
from encoder import SPECIAL


@pytest.fixture(scope="module")
def tokenizer(model_folder) -> Tokenizer:
    return Tokenizer.from_file(str(model_folder / "tokenizer.json"))


def chat_text(messages: list[dict[str, str]]) -> str:
    """The chat format, written out."""
    return "<|bos|>" + "".join(
        f"<|{message['role']}|>{message['content']}<|end|>" for message in messages
    )


@pytest.mark.parametrize("split", SPLITS)
def test_a_chat_is_encoded_as_its_text_is(encoder, tokenizer, split):
    writer = DocumentWriter(split, encoder.count)
    for seed in range(40):
        example = writer.write(seed, 700)
        last = len(example.turns) - 1
        messages = example.messages(last) + [
            {"role": "assistant", "content": example.turns[last].answer}
        ]
        ids, said = encoder.chat(example)
        assert ids == tokenizer.encode(chat_text(messages), add_special_tokens=False).ids
        answers = "".join(
            tokenizer.decode([token], skip_special_tokens=False)
            for token, mine in zip(ids, said)
            if mine
        )
        assert answers == "".join(turn.answer + "<|end|>" for turn in example.turns)


def test_the_tokenizer_adds_nothing_of_its_own(tokenizer):
    """The chat template writes the first token: a tokenizer that added it too would double it."""
    text = chat_text([{"role": "user", "content": "Who?"}])
    assert (
        tokenizer.encode(text, add_special_tokens=True).ids
        == tokenizer.encode(text, add_special_tokens=False).ids
    )


def test_digits_stand_alone(tokenizer):
    assert [
        token for token in tokenizer.encode("48213 and 1,250").tokens if token.isdigit()
    ] == list("482131250")
    assert all(
        len(token) == 1
        for token in tokenizer.get_vocab()
        if any(character.isdigit() for character in token)
    )


@pytest.mark.parametrize(
    "text", ("Zoë paid 5 € 😀", "\t two  spaces \r\n\n end ", "naïve 日本語 ٣٤", "\u0000\u200d")
)
def test_any_text_survives(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_the_files_agree_on_the_special_tokens(encoder, tokenizer, model_folder):
    config, generation, settings = (
        json.loads((model_folder / name).read_text())
        for name in ("config.json", "generation_config.json", "tokenizer_config.json")
    )
    assert config["vocab_size"] == encoder.size == tokenizer.get_vocab_size()
    for token in SPECIAL:
        assert tokenizer.encode(token, add_special_tokens=False).ids == [
            tokenizer.token_to_id(token)
        ]
    for source in (config, generation):
        assert source["bos_token_id"] == tokenizer.token_to_id(settings["bos_token"]) == encoder.bos
        assert source["eos_token_id"] == tokenizer.token_to_id(settings["eos_token"]) == encoder.end
        assert source["pad_token_id"] == tokenizer.token_to_id(settings["pad_token"]) == encoder.pad
