"""Trains the demo model within a given time on one GPU.

    python train.py --tokenizer model --out model --seconds 440

Rows grow longer from phase to phase; every phase ends with a checkpoint in `--out` and the accuracy
on held-out documents. `--init FOLDER --first-phase 4` goes on from a checkpoint with the last phase
alone.
"""

import argparse
import multiprocessing
import pathlib
import queue
import random
import time
from dataclasses import dataclass

import numpy
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend

from documents import SPLITS, DocumentWriter
from encoder import FastEncoder
from mla_model import MlaModel, attend, configuration, parameter_count

NEW_SEED = 1 << 40
LANGUAGE_WEIGHT, LANGUAGE_STRIDE = 0.1, 8
WARM_UP_STEPS = 100


@dataclass(frozen=True)
class Phase:
    """`share` of the time, the weight of each row length, the learning rate from start to end."""

    share: float
    lengths: dict[int, float]
    first_rate: float
    last_rate: float


PHASES = (
    Phase(0.22, {256: 1.0}, 1e-3, 1e-3),
    Phase(0.12, {1024: 0.8, 256: 0.2}, 1e-3, 1e-3),
    Phase(0.16, {4096: 0.7, 1024: 0.2, 256: 0.1}, 1e-3, 6e-4),
    Phase(0.18, {8192: 0.65, 4096: 0.15, 1024: 0.1, 256: 0.1}, 6e-4, 6e-4),
    Phase(
        0.32, {16384: 0.5, 32768: 0.15, 8192: 0.12, 4096: 0.09, 1024: 0.07, 256: 0.07}, 6e-4, 2e-5
    ),
)


@dataclass(frozen=True)
class Batch:
    """Rows of ids [rows, length] int16, and which tokens are answers, bool of the same shape."""

    ids: numpy.ndarray
    said: numpy.ndarray


def make_batch(
    writer: DocumentWriter, encoder: FastEncoder, seed: int, rows: int, length: int
) -> Batch:
    """Every row one chat: three in four nearly `length` tokens long, the others from half of it."""
    rng = random.Random(seed)
    ids = numpy.full((rows, length), encoder.pad, numpy.int16)
    said = numpy.zeros((rows, length), bool)
    for row in range(rows):
        wanted = length if rng.random() < 0.75 else rng.randint(max(160, length // 2), length)
        chat, answers = encoder.chat(writer.write(rng.getrandbits(48), wanted))
        size = min(length, len(chat))
        ids[row, :size], said[row, :size] = chat[:size], answers[:size]
    return Batch(ids, said)


def _produce(
    tokenizer: str, worker: int, phase, tokens: int, lengths: list[dict[int, float]], batches
):
    encoder = FastEncoder(tokenizer)
    writer = DocumentWriter("train", encoder.count)
    rng = random.Random(worker)
    while True:
        weights = lengths[phase.value]
        length = rng.choices(list(weights), list(weights.values()))[0]
        batches.put(
            make_batch(writer, encoder, rng.getrandbits(40), max(1, tokens // length), length)
        )


class Trainer:
    """One run: model, optimizer, batches from worker processes, and the clock."""

    def __init__(self, arguments, started: float):
        self.arguments, self.started = arguments, started
        self.out = pathlib.Path(arguments.out)
        self.lengths = [_up_to(phase.lengths, arguments.max_length) for phase in PHASES]
        self.phase = multiprocessing.Value("i", arguments.first_phase)
        self.batches = multiprocessing.Queue(maxsize=2 * arguments.workers)
        self.workers = [
            multiprocessing.Process(
                target=_produce,
                args=(
                    arguments.tokenizer,
                    worker + arguments.seed * 1000,
                    self.phase,
                    arguments.tokens,
                    self.lengths,
                    self.batches,
                ),
                daemon=True,
            )
            for worker in range(arguments.workers)
        ]
        for worker in self.workers:  # Before CUDA is touched: they are forked.
            worker.start()
        self.encoder = FastEncoder(arguments.tokenizer)
        self.writers = {split: DocumentWriter(split, self.encoder.count) for split in SPLITS}
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = True
            self.log(f"device {torch.cuda.get_device_name()}, PyTorch {torch.__version__}")
        torch.manual_seed(arguments.seed)
        self.model = MlaModel(
            configuration(self.encoder.size, self.encoder.bos, self.encoder.end, self.encoder.pad)
        )
        if arguments.init:
            self.model.restore(pathlib.Path(arguments.init))
        self.model.to(self.device)
        self.log(f"{parameter_count(self.model):,} parameters")
        matrices = [parameter for parameter in self.model.parameters() if parameter.dim() > 1]
        vectors = [parameter for parameter in self.model.parameters() if parameter.dim() == 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}],
            lr=PHASES[0].first_rate,
            betas=(0.9, 0.98),
            fused=self.device.type == "cuda",
        )
        self.parts = 1
        self.steps = 0

    def log(self, text: str):
        print(f"{time.monotonic() - self.started:6.1f} s  {text}", flush=True)

    def _check_attention(self):
        """Compares cuDNN's attention with the plain one, both ways; gives it up if it is off."""
        sizes = [self.model.config.qk_head_dim] * 2 + [self.model.config.v_head_dim]
        inputs = [
            torch.randn(2, 1000, 4, size, device=self.device, dtype=torch.bfloat16)
            for size in sizes
        ]

        def results(backend: SDPBackend) -> list[torch.Tensor]:
            leaves = [tensor.clone().requires_grad_() for tensor in inputs]
            output = attend(*(leaf.transpose(1, 2) for leaf in leaves), [backend])
            output.square().sum().backward()
            return [output, *(leaf.grad for leaf in leaves)]

        try:
            pairs = zip(results(SDPBackend.CUDNN_ATTENTION), results(SDPBackend.MATH))
            error = max(((a - b).float().norm() / b.float().norm()).item() for a, b in pairs)
            self.log(f"cuDNN attention: relative error {error:.4f}")
            usable = error < 0.02
        except RuntimeError as failure:
            self.log(f"cuDNN attention: {failure}")
            usable = False
        if not usable:
            self.model.backends = [SDPBackend.EFFICIENT_ATTENTION]

    def run(self):
        if self.device.type == "cuda":
            self._check_attention()
        if self.arguments.compile:
            self._compile()
        begun = time.monotonic()
        end = self.started + self.arguments.seconds
        phases = range(self.arguments.first_phase, len(PHASES))
        shares = sum(PHASES[index].share for index in phases)
        for index in phases:
            with self.phase.get_lock():
                self.phase.value = index
            length = (end - begun) * PHASES[index].share / shares
            self._run_phase(index, time.monotonic(), min(end, time.monotonic() + length))
            self.model.export(self.out)
            for size in self.lengths[index]:
                train, held_out = self._exact_match(self.writers["train"], size), self._exact_match(
                    self.writers["held_out"], size
                )
                self.log(
                    f"phase {index}: exact match at {size}: {held_out:.4f} held out, "
                    f"{train:.4f} with names of training"
                )
            # What checkpoint and evaluation took is taken from all phases to come.
            shares -= PHASES[index].share
            begun = time.monotonic()
        for worker in self.workers:
            worker.terminate()

    def _run_phase(self, index: int, begin: float, end: float):
        phase, shown, losses, tokens = PHASES[index], begin, [], 0
        while (now := time.monotonic()) < end:
            rate = phase.first_rate + (phase.last_rate - phase.first_rate) * (now - begin) / (
                end - begin
            )
            for group in self.optimizer.param_groups:
                group["lr"] = rate * min(1.0, (self.steps + 1) / WARM_UP_STEPS)
            try:
                batch = self.batches.get(timeout=60)
            except queue.Empty:
                raise RuntimeError(
                    "no batch came for a minute: a worker process has failed"
                ) from None
            losses.append(self._step(batch))
            tokens += batch.ids.size
            self.steps += 1
            if time.monotonic() - shown > 10:
                answers, language, right, norm = torch.stack(losses).mean(0).tolist()
                shown, last = time.monotonic(), shown
                self.log(
                    f"phase {index} step {self.steps}: answers {answers:.4f} "
                    f"language {language:.4f} "
                    f"answer tokens right "
                    f"{right:.4f} gradient {norm:.2f} rate {rate:.1e}, "
                    f"{tokens / (shown - last):,.0f} tokens/s, "
                    f"{self.batches.qsize()} batches wait"
                )
                losses, tokens = [], 0

    def _step(self, batch: Batch) -> torch.Tensor:
        """One optimizer step → loss of answers, of language, share right, gradient norm."""
        while True:
            try:
                return self._try_step(batch)
            except torch.cuda.OutOfMemoryError:
                rows = len(batch.ids)
                if self.parts >= rows:
                    raise
                self.parts *= 2
                torch.cuda.empty_cache()
                self.log(f"out of memory: steps are taken in {self.parts} parts from here on")

    def _try_step(self, batch: Batch) -> torch.Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        parts = [
            part
            for part in zip(
                *(numpy.array_split(array, self.parts) for array in (batch.ids, batch.said))
            )
            if len(part[0])
        ]
        total, loads = torch.zeros(3, device=self.device), None
        for ids, said in parts:
            loss, report, part_loads = self._loss(Batch(ids, said))
            (loss / len(parts)).backward()
            total += report / len(parts)
            loads = part_loads if loads is None else [a + b for a, b in zip(loads, part_loads)]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.model.balance(loads)
        return torch.cat([total, norm.detach()[None]])

    def _loss(self, batch: Batch):
        length = batch.ids.shape[1]
        # Position p predicts token p + 1. Answers first, then every eighth other position.
        answers = numpy.flatnonzero(batch.said[:, 1:].ravel())
        other = ~batch.said[:, 1:] & (batch.ids[:, 1:] != self.encoder.pad)
        other[:, (numpy.arange(length - 1) + self.steps) % LANGUAGE_STRIDE != 0] = False
        other = numpy.flatnonzero(other.ravel())
        positions = numpy.concatenate([answers, other])
        positions += positions // (length - 1)
        ids = self._upload(batch.ids)
        hidden, loads = self.model(ids.long())
        positions = self._upload(positions)
        targets = ids.reshape(-1)[positions + 1].long()
        logits = self.model.lm_head(hidden[positions]).float()
        losses = F.cross_entropy(logits, targets, reduction="none")
        split = len(answers)
        answer_loss, language_loss = losses[:split].mean(), losses[split:].mean()
        right = (logits[:split].argmax(-1) == targets[:split]).float().mean()
        report = torch.stack([answer_loss.detach(), language_loss.detach(), right])
        return answer_loss + LANGUAGE_WEIGHT * language_loss, report, loads

    def _upload(self, array: numpy.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        return (
            tensor.pin_memory().to(self.device, non_blocking=True)
            if self.device.type == "cuda"
            else tensor
        )

    def _exact_match(self, writer: DocumentWriter, length: int) -> float:
        """Share of answers about new documents whose every token is the likeliest."""
        right = asked = 0
        for seed in range(2):
            rows = max(1, self.arguments.tokens // length)
            batch = make_batch(writer, self.encoder, NEW_SEED + seed, rows, length)
            ids = self._upload(batch.ids).long()
            hidden, _ = self.model(
                ids
            )  # With gradients: compiled code is kept for that mode alone.
            said = numpy.flatnonzero(batch.said)
            with torch.no_grad():
                best = self.model.lm_head(hidden[self._upload(said - 1)]).argmax(-1)
            correct = (best == ids.reshape(-1)[self._upload(said)]).cpu().numpy()
            answer = numpy.cumsum(numpy.diff(said, prepend=said[0]) > 1)
            asked += answer[-1] + 1
            right += answer[-1] + 1 - len(numpy.unique(answer[~correct]))
        return right / asked

    def _compile(self):
        """Compiles on a first batch, and goes on without if that fails."""
        plain = {
            index: (layer.before, layer.after) for index, layer in enumerate(self.model.layers)
        }
        try:
            self.model.compile()
            self._loss(self.batches.get(timeout=60))[0].backward()
            self.log("compiled")
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as failure:  # Whatever the compiler says, the model works without it.
            for index, layer in enumerate(self.model.layers):
                layer.before, layer.after = plain[index]
            self.log(f"not compiled: {type(failure).__name__}: {str(failure)[:300]}")


def _up_to(lengths: dict[int, float], longest: int) -> dict[int, float]:
    return {length: weight for length, weight in lengths.items() if length <= longest} or {
        longest: 1.0
    }


def main():
    started = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tokenizer", required=True, help="folder with the tokenizer")
    parser.add_argument("--out", required=True, help="folder for the checkpoint")
    parser.add_argument(
        "--seconds", type=float, default=440, help="time for everything, compiling included"
    )
    parser.add_argument("--tokens", type=int, default=65536, help="tokens a step")
    parser.add_argument("--workers", type=int, default=14, help="processes that write documents")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--init", help="folder of a checkpoint to go on from")
    parser.add_argument(
        "--first-phase", type=int, default=0, help="phases before this one are left out"
    )
    parser.add_argument(
        "--max-length", type=int, default=32768, help="longest row; less for a trial run"
    )
    parser.add_argument(
        "--no-compile", dest="compile", action="store_false", help="do not compile the layers"
    )
    trainer = Trainer(parser.parse_args(), started)
    trainer.run()
    trainer.log("done")


if __name__ == "__main__":
    main()
