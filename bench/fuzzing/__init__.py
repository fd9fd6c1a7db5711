"""The parts of `script/bench fuzz`."""
