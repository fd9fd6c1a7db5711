"""What is ordered of devices: commands, parameters, clocks."""
