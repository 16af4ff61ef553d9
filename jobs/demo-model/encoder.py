"""The chat format, and a fast way from the generator's text to token ids."""

import pathlib
import re

from tokenizers import Tokenizer

from documents import Example

BOS, END, SYSTEM, USER, ASSISTANT, PAD = SPECIAL = (
    "<|bos|>",
    "<|end|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|pad|>",
)


class FastEncoder:
    """Encodes the generator's ASCII text as the tokenizer does, word by word from a table.

    Splitting comes before merging, so a text's tokens are those of its words in a row; `train.py`
    needs millions of tokens a second, which only the table gives.
    """

    _words = re.compile(r"[0-9]| ?[A-Za-z]+| ?[^\sA-Za-z0-9]+|\s*[\r\n]+|\s+(?!\S)|\s+")

    def __init__(self, folder: str):
        """Reads `tokenizer.json` of the folder."""
        tokenizer = Tokenizer.from_file(str(pathlib.Path(folder, "tokenizer.json")))
        self._encode_word = lambda word: tokenizer.encode(word, add_special_tokens=False).ids
        self._table: dict[str, list[int]] = {}
        self.size = tokenizer.get_vocab_size()
        self.bos, self.end, self.system, self.user, self.assistant, self.pad = map(
            tokenizer.token_to_id, SPECIAL
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

    def chat(self, example: Example) -> tuple[list[int], list[bool]]:
        """Ids of the whole chat, every question answered, and which the model has to say."""
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
        return ids, said
