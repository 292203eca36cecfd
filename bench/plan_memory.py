#!/usr/bin/env python3
"""What mezzo plan says of memory against what the program then takes (the peak of its resident size), over models, sizes
and strategies.

    python3 bench/plan_memory.py build/release/apps/cli/mezzo [--sd15 sd15.safetensors] [--sd3 FOLDER] [--only WORD]

Every run draws one picture in one step. A ratio outside 0.95 ... 1.15 is marked; the exit status tells whether there is one.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

LEAST, MOST = 0.95, 1.15
ICONS = os.path.join(os.path.dirname(__file__), "..", "models", "icons.gguf")


def shipped():
    """(name, flags) of runs of the shipped model."""
    for side in (64, 128, 256, 384, 512):
        yield f"icons {side}", ["-m", ICONS, *size(side)]
    for flags in (["--offload"], ["--low-ram"], ["--weights", "f16"], ["--max-ram", "96M"], ["--count", "8"],
                  ["--count", "8", "--low-ram"], ["--init", None, "--strength", "1"]):
        yield f"icons 256 {' '.join(f or 'PICTURE' for f in flags)}", ["-m", ICONS, *size(256), *flags]
    yield "icons 512 --low-ram", ["-m", ICONS, *size(512), "--low-ram"]


def stable_diffusion_1(path):
    half = ["--weights", "f16"]
    for side in (256, 512, 768):
        yield f"SD 1.5 {side} f16", ["-m", path, *size(side), *half]
    yield "SD 1.5 512 f32", ["-m", path, *size(512), "--weights", "f32"]
    for flags in (["--offload"], ["--low-ram"], ["--max-ram", "1G"], ["--max-ram", "1500M"], ["--max-ram", "2G"],
                  ["--max-ram", "2500M"]):
        yield f"SD 1.5 512 {' '.join(flags)}", ["-m", path, *size(512), *flags]
    yield "SD 1.5 256 f16 --count 4", ["-m", path, *size(256), *half, "--count", "4"]
    yield "SD 1.5 256 --low-ram --count 4", ["-m", path, *size(256), "--low-ram", "--count", "4"]
    yield "SD 1.5 768 --low-ram", ["-m", path, *size(768), "--low-ram"]


def stable_diffusion_3(path):
    for flags in (["--max-ram", "3G"], ["--low-ram"], ["--low-ram", "--no-t5"]):
        yield f"SD 3.5 Medium 512 {' '.join(flags)}", ["-m", path, *size(512), *flags]
    yield "SD 3.5 Medium 256 --max-ram 6G", ["-m", path, *size(256), "--max-ram", "6G"]


def size(side):
    return ["--width", str(side), "--height", str(side)]


def measure(program, flags, folder):
    """(planned, measured) bytes, and the seconds that the run took."""
    picture = os.path.join(folder, "init.png")
    flags = [picture if f is None else f for f in flags]
    common = ["a red apple", *flags, "--steps", "1", "--seed", "1"]
    plan = subprocess.run([program, "plan", *common, "--json"], capture_output=True, text=True, check=True)
    run = subprocess.Popen([program, "generate", *common, "-o", os.path.join(folder, "out.png"), "--progress", "none"],
                           stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(run.pid, 0)
    if status:
        raise RuntimeError(f"mezzo generate {' '.join(common)} failed")
    return json.loads(plan.stdout)["peak"], usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--sd15", help="a file of Stable Diffusion 1.5's shape")
    parser.add_argument("--sd3", help="a model of Stable Diffusion 3.5 Medium's shape, with T5")
    parser.add_argument("--only", default="", help="runs whose name has this in it")
    args = parser.parse_args()
    runs = [*shipped(), *(stable_diffusion_1(args.sd15) if args.sd15 else ()),
            *(stable_diffusion_3(args.sd3) if args.sd3 else ())]
    outside = 0
    print(f"{'run':<44} {'plan MB':>8} {'RSS MB':>8} {'ratio':>6} {'cpu s':>7}")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([args.program, "generate", "a red apple", "-m", ICONS, "--steps", "1", "--progress", "none", "-o",
                        os.path.join(folder, "init.png")], check=True, stdout=subprocess.DEVNULL)
        for name, flags in runs:
            if args.only not in name:
                continue
            planned, measured, seconds = measure(args.program, flags, folder)
            ratio = planned / measured
            fits = LEAST <= ratio <= MOST
            outside += not fits
            print(f"{name:<44} {planned / 1e6:8.0f} {measured / 1e6:8.0f} {ratio:6.3f} {seconds:7.1f}"
                  f"{'' if fits else '  <--'}", flush=True)
    sys.exit(1 if outside else 0)


if __name__ == "__main__":
    main()
