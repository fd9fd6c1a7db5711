"""What hangs where: places, terminals, channels and meters, their changes, and imports of them."""
