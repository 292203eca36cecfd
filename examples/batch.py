"""Draws every prompt of a text file (one a line) into a folder, with the model loaded once.

    python examples/batch.py prompts.txt pictures --steps 20
"""

import argparse
from pathlib import Path

from stable_diffusion import Error, Pipeline


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prompts", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="", help="a file, a folder or a name; default: the model that ships with Mezzotint")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    try:
        lines = [line.strip() for line in args.prompts.read_text(encoding="utf-8").splitlines() if line.strip()]
        args.folder.mkdir(parents=True, exist_ok=True)
        pipeline = Pipeline(args.model)
        for number, prompt in enumerate(lines, start=1):
            path = args.folder / f"{number:05}-{args.seed}.png"
            pipeline.text_to_image(prompt, steps=args.steps, seed=args.seed).save(path)
            print(f"{path}: {prompt}")
    except (Error, OSError) as error:
        print(f"batch: {error}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
