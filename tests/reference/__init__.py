"""The whole model in NumPy, float32, written from the published facts and from no engine. Slow; meant to be read."""
