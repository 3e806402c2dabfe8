"""llama.cpp through llama-cpp-python: the only package that uses ctypes for it."""
