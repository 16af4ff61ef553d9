"""Questions the trained model has not seen: those of the evaluation and of the sample files.

All documents are of the held-out split: no place or surname in them occurs in a training document.
"""

from dataclasses import dataclass

from documents import DocumentWriter, Example

EVALUATION_SEED, SAMPLE_SEED, LONG_SAMPLE_SEED = 1 << 41, 1 << 42, 1 << 43
SAMPLES, SHORTEST_SAMPLE, LONGEST_SAMPLE = 56, 500, 4000
LONG_SAMPLES = (7900, 7900, 7900, 7900, 15900)


@dataclass(frozen=True)
class Question:
    """A chat that ends with a question, and the answer to it."""

    id: str
    prompt: list[dict[str, str]]
    expected: str

    @staticmethod
    def last_of(name: str, example: Example) -> "Question":
        """The example's last question, those before it answered."""
        last = len(example.turns) - 1
        return Question(name, example.messages(last), example.turns[last].answer)


def evaluation_question(writer: DocumentWriter, length: int, index: int) -> Question:
    """The question number `index` of those with chats of at most `length` tokens, and nearly that.

    Every other one stands alone, the rest come last of up to six in one chat.
    """
    seed = EVALUATION_SEED + length * 1_000_000 + index
    example = writer.write(seed, length, questions=(1, 1) if index % 2 else (2, 6))
    return Question.last_of(f"{length}-{index:04d}", example)


def sample_rows(writer: DocumentWriter):
    """The rows of `documents.jsonl`, short and long documents in a mixed order."""
    for index in range(SAMPLES):
        step = index * 23 % SAMPLES  # 23 and 56 have no common divisor: every step occurs once.
        length = SHORTEST_SAMPLE + (LONGEST_SAMPLE - SHORTEST_SAMPLE) * step // (SAMPLES - 1)
        yield _row(
            f"doc-{index + 1:02d}",
            writer,
            SAMPLE_SEED + index,
            length,
            (2, 5) if index % 3 == 2 else (1, 1),
        )


def long_sample_rows(writer: DocumentWriter):
    """The rows of `long-documents.jsonl`."""
    for index, length in enumerate(LONG_SAMPLES):
        yield _row(
            f"long-{index + 1}",
            writer,
            LONG_SAMPLE_SEED + index,
            length,
            (2, 5) if index % 3 == 2 else (1, 1),
        )


def _row(
    name: str, writer: DocumentWriter, seed: int, length: int, questions: tuple[int, int]
) -> dict:
    # Chat markers, questions and answers come on top of the document.
    example = writer.write(seed, length + 60 * questions[0], questions)
    question = Question.last_of(name, example)
    return {
        "id": name,
        "document": example.document,
        "question": example.turns[-1].question.removeprefix("Question: "),
        "expected": question.expected,
        "prompt": question.prompt,
    }
