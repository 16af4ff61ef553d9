"""Writes processing.json into golden checkpoints: what transformers generates, greedily, where logits
are processed before a token is chosen.

Usage: python make_processing.py      (see README.md beside this file)
"""

import json

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from make_golden import HERE, NEW_TOKENS, PAD, load

CHECKPOINTS = ["deepseek-v2-greedy", "deepseek-v3", "glm4-moe-lite", "youtu"]
PROMPTS = [0, 2, 4, 5]  # of expected.json's cases
LOGPROBS = 5


class OutputPenalties(LogitsProcessor):
    """Presence and frequency penalties of tokens in the output, as OpenAI's API documents them.

    transformers has none. They come after its own processors.
    """

    def __init__(self, prompt, presence, frequency):
        self.prompt, self.presence, self.frequency = prompt, presence, frequency

    def __call__(self, input_ids, scores):
        counts = torch.bincount(input_ids[0, self.prompt :], minlength=scores.shape[-1])
        return scores - self.frequency * counts - self.presence * (counts > 0)


def processings(greedy):
    """What is done to logits, by name, for a prompt that is continued greedily with these tokens."""
    first, second, third = greedy[:3]
    yield dict(repetition_penalty=1.4)
    yield dict(presence_penalty=1.5, frequency_penalty=0.75)
    yield dict(repetition_penalty=0.8, presence_penalty=-0.5, frequency_penalty=1.25)
    yield dict(logit_bias={first: -4.0, second: 2.5, 17: 3.0}, repetition_penalty=1.2)
    yield dict(bad_words=[[first], [second, third], [first, second, third, second]])
    yield dict(min_tokens=6, end_tokens=[first, second])
    yield dict(min_tokens=3, end_tokens=[third], bad_words=[[second]], frequency_penalty=0.5)


def generate(model, tokens, how):
    """Generated tokens, and of each its lead and the largest log-probabilities."""
    presence, frequency = how.get("presence_penalty", 0), how.get("frequency_penalty", 0)
    own = dict(
        repetition_penalty=how.get("repetition_penalty"),
        bad_words_ids=how.get("bad_words"),
        sequence_bias={(token,): bias for token, bias in how.get("logit_bias", {}).items()} or None,
        min_new_tokens=how.get("min_tokens"),
        logits_processor=LogitsProcessorList([OutputPenalties(len(tokens), presence, frequency)]),
    )
    with torch.no_grad():
        output = model.generate(
            torch.tensor([tokens]),
            attention_mask=torch.ones(1, len(tokens), dtype=torch.long),
            do_sample=False,
            max_new_tokens=NEW_TOKENS,
            # One that cannot be generated, where none is asked for.
            eos_token_id=how.get("end_tokens", [model.config.vocab_size]),
            pad_token_id=PAD,
            output_scores=True,
            return_dict_in_generate=True,
            **{name: value for name, value in own.items() if value is not None},
        )
    chosen = output.sequences[0, len(tokens) :].tolist()
    leads, logprobs = [], []
    for token, scores in zip(chosen, output.scores):
        best = scores[0].double().topk(LOGPROBS)
        assert int(best.indices[0]) == token
        leads.append(float(best.values[0] - best.values[1]))
        logprobs.append(
            [
                [int(i), float(f"{value:.6g}")]
                for i, value in zip(best.indices, scores[0].double().log_softmax(-1)[best.indices])
            ]
        )
    return chosen, leads, logprobs


def main():
    torch.set_num_threads(2)
    for name in CHECKPOINTS:
        model = load(HERE / name)
        expected = json.loads((HERE / name / "expected.json").read_text())["cases"]
        cases = []
        for prompt in PROMPTS:
            for how in processings(expected[prompt]["greedy"]):
                chosen, leads, logprobs = generate(model, expected[prompt]["tokens"], how)
                cases.append(
                    dict(
                        prompt=prompt,
                        **how,
                        tokens=chosen,
                        margins=[float(f"{lead:.4g}") for lead in leads],
                        first_logprobs=logprobs[0],
                    )
                )
        (HERE / name / "processing.json").write_text(
            json.dumps(cases, separators=(",", ":")) + "\n"
        )
        changed = sum(
            case["tokens"] != expected[case["prompt"]]["greedy"][: len(case["tokens"])]
            for case in cases
        )
        print(f"{name}: {len(cases)} cases, {changed} of them not as without processing")


if __name__ == "__main__":
    main()
