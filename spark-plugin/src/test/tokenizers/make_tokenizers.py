"""Writes a tiktoken.model and a tekken.json of small vocabularies, and what their own libraries make of texts.

The vocabularies are trained on the texts below; the files have the form in which Moonshot's and Mistral's models are
published. expected.json holds the ids that tiktoken gives with the pattern and special tokens of Moonshot's published
class, and those of mistral-common.
"""

import base64
import json
import pathlib
import random

import tiktoken
from mistral_common.tokens.tokenizers.tekken import Tekkenizer
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).resolve().parent
RANKS = 1500
TEKKEN_SPECIAL = 40

LETTERS = r"\p{Lo}\p{M}"
MOONSHOT = "|".join(
    [
        r"[\p{Han}]+",
        rf"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}{LETTERS}&&[^\p{{Han}}]]*"
        rf"[\p{{Ll}}\p{{Lm}}{LETTERS}&&[^\p{{Han}}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        rf"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}{LETTERS}&&[^\p{{Han}}]]+"
        rf"[\p{{Ll}}\p{{Lm}}{LETTERS}&&[^\p{{Han}}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
TEKKEN = "|".join(
    [
        rf"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}{LETTERS}]*[\p{{Ll}}\p{{Lm}}{LETTERS}]+",
        rf"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}{LETTERS}]+[\p{{Ll}}\p{{Lm}}{LETTERS}]*",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)

SENTENCES = [
    "The quick brown fox jumps over the lazy dog, doesn't it? I'll say WE'VE SEEN THEM; they're HERE'S.",
    "Ça m'a coûté 1 234,56 € à l'hôtel de l'Île-d'Orléans, où naïveté rime avec été.",
    "Größe, Straße und Füße; ẞ ist groß. Dz ǅ Ǆ ﬁ ﬂ ﬀ ſ 's 'S 'ſ.",
    "Привет, мир! Съешь же ещё этих мягких французских булок, да выпей чаю. №5",
    "Γειά σου Κόσμε, ΟΔΟΣ και οδός. ἀρχή ἦν ὁ λόγος",
    "你好，世界！今天天气很好。我们去北京大学学习人工智能123年456日。",
    "繁體中文與简体中文混用，㐀㐁𠀀𠀁〇々〆ヶ",
    "こんにちは世界。カタカナとひらがなと漢字が混ざる文章です。ﾊﾝｶｸ ー",
    "안녕하세요 세계! 한국어 문장입니다. ㄱㄴㄷ 가각간",
    "नमस्ते दुनिया, यह हिन्दी में एक वाक्य है। क्ष त्र ज्ञ १२३४",
    "স্বাগতম বাংলা ভাষায় ১২৩ বাক্য",
    "வணக்கம் உலகம் தமிழ் எழுத்து",
    "สวัสดีชาวโลก ภาษาไทยไม่มีช่องว่าง ๑๒๓",
    "مرحبا بالعالم، هذه جملة عربية ١٢٣٤٥٦ ـــ لَا إِلٰهَ",
    "שלום עולם, זה משפט בעברית עם נִקּוּד",
    "Բարեւ աշխարհ · გამარჯობა მსოფლიო · ሰላም ልዑል",
    "ខ្មែរ ລາວ မြန်မာ བོད་སྐད ᠮᠣᠩᠭᠣᠯ",
    "Tiếng Việt có dấu: ăâđêôơư, Nguyễn Thị Minh Khai",
    "İstanbul'da ığüşöç ve IĞÜŞÖÇ",
    "🙂👍🏽 👩‍👩‍👧‍👦 🇩🇪🇯🇵 ❤️‍🔥 ☺︎ 🏴󠁧󠁢󠁳󠁣󠁴󠁿 ✈️✈",
    "x = [i**2 for i in range(1_000_000) if i % 3 == 0]  # ok\n\tif (a && b || !c) { return a->b[c]; }\r\n",
    "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋, α ∧ ¬β → ∑ᵢ₌₁ⁿ i² ≤ ∞ ½ ⅓ Ⅷ ⅷ ① ²³ ௧",
    "https://example.org/a/b?c=d&e=%20f#g user.name+tag@example.co.uk C:\\Users\\x /usr/bin//",
    "<|im_user|>user<|im_middle|>text<|im_end|>[BOS][EOS]<s>[INST]x[/INST]</s><SPECIAL_30>",
    "{\"key\": [1, 2.5e-10, null, true], \"ключ\": \"значение\"}",
    "0 00 000 0000 00000 123456789012345678901234567890 1,234.5 ١٢٣٤",
    "a\u0301 e\u0301\u0323 \u0301x n\u0303 ÅÅ 한글 한글",
    "\u00a0\u2003\u3000\u200b\u200d\ufeff\u2028\u2029\u0085\u180e end",
    "\x00\x01\x1f\x7f\x80\x9f \ufffd \ufffe \U000e0001 \U0010ffff \ue000 \U000f0000",
    "''s'''t 'RE'Ve'lL'd ’s don’t DON'T I'M i'm'm we'd'd",
]


def texts():
    yield from SENTENCES
    for sentence in SENTENCES:
        yield sentence.upper()
        yield f"  {sentence}\n\n{sentence[::-1]} \t"
    for letter in ["a", "A", "é", "中", "あ", "한", "ก", "٣", "7", "🙂", "-", "=", "\u0301", "'", "👩‍"]:
        for times in (2, 3, 17, 1000):
            yield letter * times
    for space in [" ", "\n", "\t", "\r\n", "\u3000", " \n", "\n ", "  \t"]:
        for times in (1, 2, 7, 300):
            yield f"a{space * times}b"
            yield space * times
    draw = random.Random(20261127)
    letters = sorted({letter for sentence in SENTENCES for letter in sentence})
    for length in [1, 2, 3, 5, 8, 13, 21, 34, 55, 89] * 4:
        yield "".join(draw.choice(letters) for _ in range(length))


def train(pattern):
    """Tokens by rank: the 256 bytes, then what is merged, in order."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=RANKS, initial_alphabet=alphabet, max_token_length=24, show_progress=False
    )
    tokenizer.train_from_iterator(list(texts()), trainer)
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    bytes_of = {chr(byte): byte for byte in visible} | {chr(256 + i): byte for i, byte in enumerate(hidden)}
    learned = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    tokens = [bytes([byte]) for byte in range(256)]
    return tokens + [bytes(bytes_of[letter] for letter in token) for token, _ in learned if len(token) > 1]


def write(name, value):
    (HERE / name).parent.mkdir(exist_ok=True)
    (HERE / name).write_text(json.dumps(value, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


def moonshot():
    tokens = train(MOONSHOT)
    base = len(tokens)
    named = {0: "[BOS]", 1: "[EOS]", 2: "<|im_end|>", 3: "<|im_user|>", 4: "<|im_assistant|>", 6: "<|start_header_id|>"}
    named |= {7: "<|end_header_id|>", 9: "[EOT]", 10: "<|im_system|>", 17: "<|im_middle|>", 254: "[UNK]", 255: "[PAD]"}
    decoder = {
        str(base + place): {
            "content": content,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": True,
        }
        for place, content in named.items()
    }
    config = {
        "added_tokens_decoder": decoder,
        "additional_special_tokens": [named[place] for place in (2, 3, 4, 6, 7, 9, 10, 17)],
        "bos_token": "[BOS]",
        "eos_token": "[EOS]",
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "tokenizer_class": "TikTokenTokenizer",
    }
    write("moonshot/tokenizer_config.json", config)
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)]
    (HERE / "moonshot" / "tiktoken.model").write_text("".join(lines), encoding="ascii")
    special = {named.get(i, f"<|reserved_token_{base + i}|>"): base + i for i in range(256 + 2)}
    ranks = {token: rank for rank, token in enumerate(tokens)}
    return tiktoken.Encoding("moonshot", pat_str=MOONSHOT, mergeable_ranks=ranks, special_tokens=special)


def mistral():
    tokens = train(TEKKEN)
    special = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"]
    # Two tokens more than the vocabulary takes, as published files have thousands.
    file = {
        "config": {
            "pattern": TEKKEN,
            "num_vocab_tokens": len(tokens),
            "default_vocab_size": len(tokens) - 2 + TEKKEN_SPECIAL,
            "default_num_special_tokens": TEKKEN_SPECIAL,
            "version": "v7",
        },
        "vocab": [
            {
                "rank": rank,
                "token_bytes": base64.b64encode(token).decode(),
                "token_str": token.decode() if token.isascii() else None,
            }
            for rank, token in enumerate(tokens)
        ],
        "special_tokens": [
            {"rank": rank, "token_str": name, "is_control": True} for rank, name in enumerate(special)
        ],
    }
    write("mistral/tekken.json", file)
    return Tekkenizer.from_file(HERE / "mistral" / "tekken.json")


def main():
    reference = {"moonshot": moonshot(), "mistral": mistral()}
    cases = []
    for text in dict.fromkeys(texts()):
        cases.append(
            {
                "text": text,
                "moonshot": reference["moonshot"].encode_ordinary(text),
                "moonshot_parsed": reference["moonshot"].encode(text, allowed_special="all"),
                "mistral": reference["mistral"].encode(text, bos=False, eos=False),
            }
        )
    lines = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "expected.json").write_text(f"[\n{lines}\n]\n", encoding="ascii")
    print(len(cases), "texts")


if __name__ == "__main__":
    main()
