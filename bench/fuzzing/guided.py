"""The fuzzer that atheris drives; `script/bench fuzz --guided` starts it on a folder of inputs."""

import random
import sys

import atheris

with atheris.instrument_imports(include=["station", "fuzzing"]):
    from fuzzing.examine import examine
    from fuzzing.inputs import sealed


def mutate(data: bytes, size_max: int, seed: int) -> bytes:
    """Let atheris mutate, and seal half of what comes out: it cannot guess a checksum."""
    mutated: bytes = atheris.Mutate(data, size_max)
    chance = random.Random(seed)
    if chance.random() < 0.5:
        return mutated
    return sealed(chance, mutated)[:size_max]


def main() -> None:
    atheris.Setup(sys.argv, examine, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
