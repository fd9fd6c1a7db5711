"""What is said on the wires: links, frames, blocks, and any hex explained."""
