"""What is read, when and from whom: tasks, runs, readings, and the holes that are left."""
