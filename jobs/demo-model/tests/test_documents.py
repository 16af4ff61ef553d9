"""Laws of the documents: they hold for every seed, and are tried on some hundred."""

import re

import pytest

from documents import (
    ATTRIBUTES,
    CITIES,
    INSTITUTIONS,
    SPLITS,
    SURNAMES,
    DocumentWriter,
    Example,
    split_of,
)

VALUES = {
    "code": r"\d{4,6}",
    "name": r"[A-Z][a-z]+ [A-Z][a-z]+",
    "date": r"\d{1,2} [A-Z][a-z]+ \d{4}",
    "amount": r"\d{1,3},\d{3} euros",
}
SUBJECT = re.compile(rf"([A-Z][a-z]+) ({'|'.join(INSTITUTIONS)})\b")
SEEDS = range(150)


def subjects(text: str) -> set[str]:
    """The places of the subjects in a text."""
    return {place for place, _ in SUBJECT.findall(text)}


def asked_attribute(question: str):
    """The one attribute a question can ask for, and the subject it asks about."""
    found = set()
    for attribute in ATTRIBUTES:
        for template in attribute.questions:
            before, after = template.split("{s}")
            match = re.fullmatch(re.escape(before) + r"(\S+ \S+?)" + re.escape(after), question)
            if match:
                found.add((attribute, match[1]))
    assert len(found) == 1, f"{question!r} asks for {found}"
    return found.pop()


def stated_values(document: str, attribute, subject: str) -> list[str]:
    """Every value the document states for the attribute of the subject."""
    values = []
    for statement in attribute.statements:
        pattern = re.escape(statement.format(s="\0", v="\1")).replace("\0", re.escape(subject))
        values += re.findall(
            pattern.replace("\1", f"({VALUES[attribute.kind]})") + r"(?=[.,;])", document
        )
    return values


def examples(encoder, split: str, length: int) -> list[Example]:
    writer = DocumentWriter(split, encoder.count)
    return [writer.write(seed, length) for seed in SEEDS]


@pytest.mark.parametrize("split", SPLITS)
def test_a_seed_gives_one_document(encoder, split):
    first, second = (DocumentWriter(split, encoder.count).write(7, 900) for _ in range(2))
    assert first == second
    assert DocumentWriter(split, encoder.count).write(8, 900).document != first.document


def test_writing_leaves_no_trace_in_the_writer(encoder):
    writer = DocumentWriter("train", encoder.count)
    first = writer.write(7, 900)
    writer.write(8, 900)
    assert writer.write(7, 900) == first


@pytest.mark.parametrize("split", SPLITS)
def test_a_question_has_one_answer_in_the_document(encoder, split):
    asked = 0
    for example in examples(encoder, split, 1024):
        for turn in example.turns:
            attribute, subject = asked_attribute(turn.question.removeprefix("Question: "))
            assert attribute.kind == turn.kind
            assert stated_values(example.document, attribute, subject) == [turn.answer]
            asked += 1
    assert asked > 3 * len(SEEDS)


def test_a_document_holds_other_facts_of_every_kind_asked(encoder):
    """An answer must be found by its subject: its document has several values of the kind."""
    for example in examples(encoder, "held_out", 4096)[:20]:
        for turn in example.turns:
            assert len(set(re.findall(VALUES[turn.kind], example.document))) > 5


@pytest.mark.parametrize("split", SPLITS)
def test_names_keep_to_their_split(encoder, split):
    seen = set()
    for example in examples(encoder, split, 1024):
        seen |= subjects(example.document)
        seen |= {turn.answer.split()[1] for turn in example.turns if turn.kind == "name"}
    assert len(seen) > 1000
    assert {name for name in seen if split_of(name) != split} == set()


def test_known_names_occur_in_both_splits():
    for names in (CITIES, SURNAMES):
        assert {split_of(name) for name in names} == set(SPLITS)


@pytest.mark.parametrize("split", SPLITS)
def test_a_place_names_one_subject(encoder, split):
    for example in examples(encoder, split, 4096)[:40]:
        pairs = set(SUBJECT.findall(example.document))
        assert len(pairs) == len({place for place, _ in pairs})


@pytest.mark.parametrize(
    ("length", "questions"),
    ((200, (1, 3)), (256, None), (500, (1, 3)), (1024, None), (4096, (1, 3))),
)
def test_a_chat_nearly_fills_its_length(encoder, length, questions):
    writer = DocumentWriter("held_out", encoder.count)
    for seed in range(30):
        ids, _ = encoder.chat(writer.write(seed, length, questions))
        assert length - 80 < len(ids) <= length


def test_a_chat_asks_as_often_as_wanted(encoder):
    writer = DocumentWriter("train", encoder.count)
    assert {len(writer.write(seed, 1024, questions=(2, 4)).turns) for seed in range(60)} == {
        2,
        3,
        4,
    }


def test_messages_end_with_the_question(encoder):
    example = DocumentWriter("train", encoder.count).write(3, 600, questions=(3, 3))
    messages = example.messages(2)
    assert [message["role"] for message in messages if message["role"] != "system"] == [
        "user",
        "assistant",
    ] * 2 + ["user"]
    assert messages[-1]["content"] == example.turns[2].question
    assert sum(example.document in message["content"] for message in messages) == 1
