"""Writes the sample files: `documents.jsonl` for the demo, `long-documents.jsonl` for tests.

    python sample_data.py --tokenizer model --out ../sample-data

A row holds a document, the question about it, the expected answer, and the whole chat as `prompt`;
in every third row the question is the last of several. No row was chosen for its answer: ask the
model with `evaluate.py --questions FILE`.
"""

import argparse
import json
import pathlib

from documents import DocumentWriter
from encoder import FastEncoder
from questions import long_sample_rows, sample_rows

FILES = {"documents.jsonl": sample_rows, "long-documents.jsonl": long_sample_rows}


def text(name: str, writer: DocumentWriter) -> str:
    """What the file of that name holds."""
    return "".join(json.dumps(row) + "\n" for row in FILES[name](writer))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tokenizer", required=True, help="folder of the tokenizer")
    parser.add_argument("--out", required=True, help="folder to write the files to")
    arguments = parser.parse_args()
    writer = DocumentWriter("held_out", FastEncoder(arguments.tokenizer).count)
    folder = pathlib.Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (folder / name).write_text(text(name, writer))


if __name__ == "__main__":
    main()
