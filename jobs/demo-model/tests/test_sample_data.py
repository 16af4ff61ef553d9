"""The committed sample files are what the generator writes, and are held out."""

import json

import pytest

from documents import DocumentWriter, split_of
from questions import evaluation_question
from sample_data import FILES, text
from test_documents import asked_attribute, stated_values


@pytest.fixture(scope="module")
def writer(encoder) -> DocumentWriter:
    return DocumentWriter("held_out", encoder.count)


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_what_the_generator_writes(writer, sample_folder, name):
    assert (sample_folder / name).read_text() == text(name, writer)


@pytest.mark.parametrize(
    ("name", "rows", "shortest", "longest"),
    (("documents.jsonl", 56, 500, 4000), ("long-documents.jsonl", 5, 7800, 16000)),
)
def test_rows_are_answerable_and_held_out(encoder, sample_folder, name, rows, shortest, longest):
    table = [json.loads(line) for line in (sample_folder / name).read_text().splitlines()]
    assert len({row["id"] for row in table}) == len(table) == rows
    for row in table:
        assert list(row) == ["id", "document", "question", "expected", "prompt"]
        assert shortest <= encoder.count(row["document"]) <= longest
        attribute, subject = asked_attribute(row["question"])
        assert split_of(subject.split()[0]) == "held_out"
        assert stated_values(row["document"], attribute, subject) == [row["expected"]]
        assert row["prompt"][-1]["content"].endswith(row["question"])
        assert sum(row["document"] in message["content"] for message in row["prompt"]) == 1


def test_evaluation_questions_are_new_ones(writer, sample_folder):
    """None is asked twice, and none is in the sample files."""
    samples = [
        json.loads(line)["document"]
        for name in FILES
        for line in (sample_folder / name).read_text().splitlines()
    ]
    asked = [
        evaluation_question(writer, length, index) for length in (200, 1024) for index in range(100)
    ]
    assert (
        len({json.dumps(question.prompt) for question in asked})
        == len({question.id for question in asked})
        == 200
    )
    for question in asked:
        assert not any(
            document in message["content"] for document in samples for message in question.prompt
        )
