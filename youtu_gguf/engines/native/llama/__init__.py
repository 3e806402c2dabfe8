"""llama.cpp through llama-cpp-python: the only place that knows ctypes."""
