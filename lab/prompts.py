"""Prompts of one second each, for calls that need not hear them out."""

from pathlib import Path

from lab.asterisk import TOP
from lab.listen import RATE, load, save

SECONDS = 1.0


def quick_prompts(directory: Path) -> Path:
    """Write the first second of every prompt below a directory; return the directory."""
    for prompt in (TOP / "prompts").glob("*/*.wav"):
        there = directory / prompt.parent.name / prompt.name
        there.parent.mkdir(exist_ok=True, parents=True)
        save(there, load(prompt)[0][: int(SECONDS * RATE)])
    return directory
