"""The local vision API: one process, one model, and HTTP in the shapes that programs already speak.

The room uses the public surface of the package alone: `load`, `Model`, `Scene`, `Chat`, the declarations of tasks, and
the forms of `output`. It needs the extra `serve`.
"""
