"""The command line of `bin/bench peers`."""

import argparse
import json


def _rows(text):
    """From `0,3-5` to a function that picks these of so many rows."""
    def picked(count):
        if text == "all":
            return list(range(count))
        rows = []
        for part in text.split(","):
            first, _, last = part.partition("-")
            rows += range(int(first), int(last or first) + 1)
        return rows
    return picked


def main():
    parser = argparse.ArgumentParser(prog="bin/bench peers")
    parts = parser.add_subparsers(dest="part", required=True)
    for name, text in (("decode", "MLA decode beside FlashMLA and FlashAttention-3"),
                       ("prefill", "prefill attention beside FlashAttention-3 and cuDNN"),
                       ("experts", "a layer's experts beside vLLM's Triton kernels")):
        part = parts.add_parser(name, help=text)
        part.add_argument("library", help="path of libsparkmla.so")
        part.add_argument("--rows", type=_rows, default="all", help="such as 0,3-5 (default all)")
    part = parts.add_parser("engine", help="vLLM on what bin/bench generate has timed")
    part.add_argument("report", help="the file that bin/bench generate --json FILE wrote")
    options = parser.parse_args()
    if options.part == "engine":
        from peers import engine

        with open(options.report) as file:
            engine.run(json.load(file))
        return
    from peers import decode, experts, prefill
    from peers.library import Library

    parts = {"decode": decode, "prefill": prefill, "experts": experts}
    parts[options.part].run(Library(options.library), options.rows)


if __name__ == "__main__":
    main()
