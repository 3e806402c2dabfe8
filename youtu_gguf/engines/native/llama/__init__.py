"""llama.cpp through llama-cpp-python: its own words; only vision/ggml.py calls it besides."""
