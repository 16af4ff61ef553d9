"""The tokenizer: byte-level BPE of 896 tokens, digits single, and the chat format.

    python vocabulary.py --out model

trains it on text of the training split and writes the files transformers reads.
"""

import argparse
import json
import pathlib
import re

import numpy
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from documents import DocumentWriter, Example

SIZE = 896
BOS, END, SYSTEM, USER, ASSISTANT, PAD = SPECIAL = (
    "<|bos|>",
    "<|end|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|pad|>",
)
SPLIT = r"\p{N}| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s*[\r\n]+|\s+(?!\S)|\s+"
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train(documents: int = 3000) -> PreTrainedTokenizerFast:
    """A tokenizer trained on so many documents of the training split."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL],
        show_progress=False,
    )
    writer = DocumentWriter("train", lambda text: len(text) // 3)
    texts = []
    for seed in range(documents):
        example = writer.write(seed, 600)
        texts += [example.document, *(turn.question for turn in example.turns), *(turn.answer for turn in example.turns)]
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=END,
        pad_token=PAD,
        model_max_length=32768,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


class FastEncoder:
    """Encodes the generator's ASCII text as the tokenizer does, word by word from a table.

    Splitting comes before merging, so a text's tokens are those of its words in a row; `train.py`
    needs millions of tokens a second, which only the table gives.
    """

    _words = re.compile(r"[0-9]| ?[A-Za-z]+| ?[^\sA-Za-z0-9]+|\s*[\r\n]+|\s+(?!\S)|\s+")

    def __init__(self, tokenizer: PreTrainedTokenizerFast):
        self._encode_word = lambda word: tokenizer.encode(word, add_special_tokens=False)
        self._table: dict[str, list[int]] = {}
        self.bos, self.end, self.system, self.user, self.assistant, self.pad = (
            tokenizer.convert_tokens_to_ids(token) for token in SPECIAL
        )

    def encode(self, text: str) -> list[int]:
        """Token ids of a text without chat markers."""
        table, ids = self._table, []
        for word in self._words.findall(text):
            tokens = table.get(word)
            if tokens is None:
                tokens = table[word] = self._encode_word(word)
            ids += tokens
        return ids

    def count(self, text: str) -> int:
        """Number of tokens of a text."""
        return len(self.encode(text))

    def chat(self, example: Example) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Ids of the whole chat, every question answered, and which of them the model has to say."""
        ids, said = [self.bos], [False]

        def add(role: int, text: str, answer: bool):
            tokens = self.encode(text)
            ids.extend((role, *tokens, self.end))
            said.extend((False, *([answer] * (len(tokens) + 1))))

        if example.system is not None:
            add(self.system, example.system, False)
        for index, turn in enumerate(example.turns):
            question = f"{example.document}\n\n{turn.question}" if index == 0 else turn.question
            add(self.user, question, False)
            add(self.assistant, turn.answer, True)
        return numpy.array(ids, numpy.int16), numpy.array(said, bool)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, help="folder to write the tokenizer to")
    arguments = parser.parse_args()
    train().save_pretrained(arguments.out)
    # The class name that every version of transformers knows.
    path = pathlib.Path(arguments.out, "tokenizer_config.json")
    config = json.loads(path.read_text())
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config.pop("backend", None)
    path.write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main()
