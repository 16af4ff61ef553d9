"""Exact match of greedy answers on held-out documents, by length, with transformers.

    python evaluate.py --model model --documents 200

Each document is asked one question; in half of them it is the last of several in one chat.
`--questions` asks those of a JSON lines file instead, `--write` writes the questions to one and
asks nothing.
"""

import argparse
import json
import pathlib
import queue
import time

import torch
import torch.multiprocessing
from transformers import AutoModelForCausalLM, AutoTokenizer

from documents import DocumentWriter
from encoder import FastEncoder
from questions import Question, evaluation_question

LENGTHS = (200, 500, 1024, 2048, 4096, 8192, 12288, 16384, 32768)
LONGEST_ANSWER = 24


class Answerer:
    """A checkpoint in transformers, asked one chat at a time."""

    def __init__(self, arguments):
        self.tokenizer = AutoTokenizer.from_pretrained(arguments.model)
        self.model = AutoModelForCausalLM.from_pretrained(
            arguments.model, dtype=getattr(torch, arguments.dtype), attn_implementation="sdpa"
        )
        self.model.to(arguments.device).eval()

    def answer(self, prompt: list[int]) -> str:
        """The greedy answer to an encoded chat."""
        ids = torch.tensor([prompt], device=self.model.device)
        with torch.inference_mode():
            answer = self.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=LONGEST_ANSWER,
            )
        return self.tokenizer.decode(answer[0, len(prompt) :], skip_special_tokens=True)


def encode(tokenizer, question: Question) -> list[int]:
    """The ids of the chat, up to where the answer begins."""
    prompt = tokenizer.apply_chat_template(
        question.prompt, add_generation_prompt=True, tokenize=False
    )
    return tokenizer.encode(prompt, add_special_tokens=False)


def questions(arguments, share: int = 0, shares: int = 1):
    """Every question of the run, or every `shares`-th from `share` on."""
    if arguments.questions:
        rows = map(json.loads, pathlib.Path(arguments.questions).read_text().splitlines())
        for row in list(rows)[share::shares]:
            yield Question(row["id"], row["prompt"], row["expected"])
        return
    writer = DocumentWriter("held_out", FastEncoder(arguments.model).count)
    for index in range(arguments.first + share, arguments.first + arguments.documents, shares):
        for length in arguments.lengths:
            yield evaluation_question(writer, length, index)


def write(arguments):
    """Writes the file `--write`: id, tokens of the encoded chat, prompt, expected."""
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    with pathlib.Path(arguments.write).open("w") as file:
        for question in questions(arguments):
            tokens = len(encode(tokenizer, question))
            row = {
                "id": question.id,
                "tokens": tokens,
                "prompt": question.prompt,
                "expected": question.expected,
            }
            file.write(json.dumps(row) + "\n")


def _work(share: int, arguments, results):
    torch.set_num_threads(max(1, torch.get_num_threads() // arguments.workers))
    answerer = Answerer(arguments)
    for question in questions(arguments, share, arguments.workers):
        prompt = encode(answerer.tokenizer, question)
        results.put((question, len(prompt), answerer.answer(prompt)))
    results.put(None)


def _results(arguments):
    """What the workers answer, as it comes: question, tokens of its chat, answer."""
    context = torch.multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=_work, args=(share, arguments, results), daemon=True)
        for share in range(arguments.workers)
    ]
    for worker in workers:
        worker.start()
    running, end = len(workers), time.monotonic() + arguments.seconds
    while running and time.monotonic() < end:
        try:
            result = results.get(timeout=1)
        except queue.Empty:
            if any(worker.exitcode for worker in workers):
                raise RuntimeError("a worker process has failed") from None
            continue
        if result is None:
            running -= 1
        else:
            yield result
    for worker in workers:
        if running:  # Out of time.
            worker.terminate()
        worker.join()


def evaluate(arguments):
    """Asks all questions; prints the table and every wrong answer, and writes them to `--out`."""
    started = time.monotonic()
    asked, right, wrong = {}, {}, []
    for question, tokens, answer in _results(arguments):
        length = min((length for length in arguments.lengths if length >= tokens), default=tokens)
        asked[length] = asked.get(length, 0) + 1
        right[length] = right.get(length, 0) + (answer == question.expected)
        if answer != question.expected:
            wrong.append({"id": question.id, "expected": question.expected, "answer": answer})
    print(f"{'tokens':>8} {'asked':>6} {'right':>6} {'exact match':>12}")
    for size in sorted(asked):
        share = right[size] / asked[size]
        print(f"{size:>8} {asked[size]:>6} {right[size]:>6} {share:>12.4f}")
    for entry in wrong:
        print(f"wrong: {entry}")
    print(f"{time.monotonic() - started:.0f} s, {arguments.dtype} on {arguments.device}")
    if arguments.out:
        table = [
            {"tokens": length, "asked": asked[length], "right": right[length]}
            for length in sorted(asked)
        ]
        pathlib.Path(arguments.out).write_text(
            json.dumps({"dtype": arguments.dtype, "table": table, "wrong": wrong}, indent=1)
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, help="folder of the checkpoint and its tokenizer")
    parser.add_argument("--documents", type=int, default=200, help="documents of each length")
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first document of each length"
    )
    parser.add_argument(
        "--lengths", type=int, nargs="+", default=LENGTHS, help="most tokens of a chat"
    )
    parser.add_argument(
        "--questions", help="JSON lines file with id, prompt and expected, asked instead"
    )
    parser.add_argument("--write", help="JSON lines file for the questions; nothing is asked")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the documents")
    parser.add_argument(
        "--seconds",
        type=float,
        default=3600,
        help="stop asking after so long, and report what is there",
    )
    parser.add_argument("--out", help="JSON file for the table and the wrong answers")
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments)
    else:
        evaluate(arguments)


if __name__ == "__main__":
    main()
