"""Exact match of greedy answers on held-out documents, by length, with transformers.

    python evaluate.py --model model --documents 200

Each document is asked one question; in half of them it is the last of several in one chat.
"""

import argparse
import json
import pathlib
import time

import torch
import torch.multiprocessing
from transformers import AutoModelForCausalLM, AutoTokenizer

from documents import DocumentWriter
from vocabulary import FastEncoder

LENGTHS = (200, 500, 1024, 2048, 4096, 8192, 12288, 16384, 32768)
SEED = 1 << 41
LONGEST_ANSWER = 24


class Answerer:
    """A checkpoint in transformers, asked one chat at a time."""

    def __init__(self, model: str, tokenizer: str, device: str, dtype: str):
        self.tokenizer = AutoTokenizer.from_pretrained(tokenizer)
        self.model = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype), attn_implementation="sdpa")
        self.model.to(device).eval()

    def answer(self, messages: list[dict[str, str]]) -> str:
        """The greedy answer to a chat."""
        prompt = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids = torch.tensor([self.tokenizer.encode(prompt, add_special_tokens=False)], device=self.model.device)
        with torch.inference_mode():
            answer = self.model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=LONGEST_ANSWER
            )
        return self.tokenizer.decode(answer[0, ids.shape[1] :], skip_special_tokens=True)


def held_out_chat(writer: DocumentWriter, seed: int, length: int) -> tuple[list[dict[str, str]], str, str]:
    """The chat of a seed, the expected answer to its last question, and the kind of fact."""
    example = writer.write(seed, length, questions=(1, 1) if seed % 2 else (2, 6))
    last = len(example.turns) - 1
    return example.messages(last), example.turns[last].answer, example.turns[last].kind


def _work(share: int, arguments, results):
    torch.set_num_threads(max(1, torch.get_num_threads() // arguments.workers))
    answerer = Answerer(arguments.model, arguments.tokenizer or arguments.model, arguments.device, arguments.dtype)
    writer = DocumentWriter("held_out", FastEncoder(answerer.tokenizer).count)
    for index in range(share, arguments.documents, arguments.workers):
        for length in arguments.lengths:
            seed = SEED + length * 1_000_000 + index
            messages, expected, kind = held_out_chat(writer, seed, length)
            results.put((length, kind, expected, answerer.answer(messages)))
    results.put(None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, help="folder of the checkpoint")
    parser.add_argument("--tokenizer", help="folder of the tokenizer, if elsewhere")
    parser.add_argument("--documents", type=int, default=200, help="documents of each length")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="tokens of the whole chat")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the documents")
    parser.add_argument("--seconds", type=float, default=3600, help="stop asking after so long, and report what is there")
    parser.add_argument("--out", help="JSON file for the table")
    arguments = parser.parse_args()
    started = time.monotonic()
    context = torch.multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=_work, args=(share, arguments, results), daemon=True) for share in range(arguments.workers)
    ]
    for worker in workers:
        worker.start()
    asked = dict.fromkeys(arguments.lengths, 0)
    right, wrong, running = dict(asked), [], len(workers)
    while running and time.monotonic() - started < arguments.seconds:
        try:
            result = results.get(timeout=1)
        except Exception:
            if not any(worker.is_alive() for worker in workers):
                break
            continue
        if result is None:
            running -= 1
            continue
        length, kind, expected, answer = result
        asked[length] += 1
        right[length] += answer == expected
        if answer != expected:
            wrong.append({"length": length, "kind": kind, "expected": expected, "answer": answer})
    for worker in workers:
        worker.terminate()
    print(f"{'tokens':>8} {'asked':>6} {'right':>6} {'exact match':>12}")
    for length in arguments.lengths:
        print(f"{length:>8} {asked[length]:>6} {right[length]:>6} {right[length] / max(1, asked[length]):>12.4f}")
    for entry in wrong[:20]:
        print(f"wrong at {entry['length']}: {entry['kind']}: expected {entry['expected']!r}, got {entry['answer']!r}")
    print(f"{time.monotonic() - started:.0f} s, {arguments.dtype} on {arguments.device}")
    if arguments.out:
        table = [{"tokens": length, "asked": asked[length], "right": right[length]} for length in arguments.lengths]
        pathlib.Path(arguments.out).write_text(json.dumps({"dtype": arguments.dtype, "table": table, "wrong": wrong}, indent=1))


if __name__ == "__main__":
    main()
