# The local vision API in a container.
#
#   docker build --target cpu -t youtu-gguf .
#   docker run --rm -p 127.0.0.1:8765:8765 -v youtu-gguf:/models youtu-gguf --insecure
#
#   docker build --target cuda -t youtu-gguf:cuda .
#   docker run --rm --gpus all -p 127.0.0.1:8765:8765 -v youtu-gguf:/models youtu-gguf:cuda --insecure
#
# --insecure is meant for a port that is published on this machine alone, as above. To publish it elsewhere mount a file
# with a key, and give --api-key-file FILE instead. What follows the image's name are options of `youtu-gguf serve`; with
# -m tencent/Youtu-VL-4B-Instruct-GGUF the published model is downloaded to the volume first.

# -------------------------------------------------------------------------------------------------- processor: build
FROM python:3.12-slim-bookworm AS build-cpu
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
# Kernels for processors with AVX2, wherever the image was built. "-DGGML_NATIVE=ON" builds for the builder's own.
ARG CMAKE_ARGS="-DGGML_NATIVE=OFF"
RUN python -m venv /opt/youtu-gguf
COPY pyproject.toml README.md LICENSE /src/
COPY models/nano /src/models/nano
COPY youtu_gguf /src/youtu_gguf
RUN CMAKE_ARGS="${CMAKE_ARGS}" /opt/youtu-gguf/bin/pip install --no-cache-dir "/src[serve,heic]"

# ---------------------------------------------------------------------------------------------- graphics card: build
FROM nvidia/cuda:12.8.1-devel-ubuntu24.04 AS build-cuda
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
# The driver's library is there when the container runs, not when it is built: link against the toolkit's stand-in.
RUN ln -s /usr/local/cuda/lib64/stubs/libcuda.so /usr/local/cuda/lib64/stubs/libcuda.so.1
ENV LIBRARY_PATH=/usr/local/cuda/lib64/stubs
ARG CMAKE_ARGS="-DGGML_CUDA=ON -DGGML_NATIVE=OFF -DCMAKE_SHARED_LINKER_FLAGS=-Wl,-rpath-link,/usr/local/cuda/lib64/stubs -DCMAKE_EXE_LINKER_FLAGS=-Wl,-rpath-link,/usr/local/cuda/lib64/stubs"
RUN python3 -m venv /opt/youtu-gguf
COPY pyproject.toml README.md LICENSE /src/
COPY models/nano /src/models/nano
COPY youtu_gguf /src/youtu_gguf
RUN CMAKE_ARGS="${CMAKE_ARGS}" /opt/youtu-gguf/bin/pip install --no-cache-dir "/src[serve,heic]"

# ------------------------------------------------------------------------------------------------ graphics card: run
FROM nvidia/cuda:12.8.1-runtime-ubuntu24.04 AS cuda
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 python3 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 10001 -g 10001 /models
COPY --from=build-cuda /opt/youtu-gguf /opt/youtu-gguf
ENV PATH=/opt/youtu-gguf/bin:$PATH \
    HF_HOME=/models/huggingface \
    XDG_DATA_HOME=/models \
    XDG_STATE_HOME=/models
VOLUME /models
USER 10001:10001
EXPOSE 8765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=15m --start-interval=2s \
    CMD ["/opt/youtu-gguf/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8765/readyz', timeout=4)"]
ENTRYPOINT ["youtu-gguf", "serve", "--host", "0.0.0.0", "--port", "8765"]

# ---------------------------------------------------------------------------------------------------- processor: run
FROM python:3.12-slim-bookworm AS cpu
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 10001 -g 10001 /models
COPY --from=build-cpu /opt/youtu-gguf /opt/youtu-gguf
ENV PATH=/opt/youtu-gguf/bin:$PATH \
    HF_HOME=/models/huggingface \
    XDG_DATA_HOME=/models \
    XDG_STATE_HOME=/models
VOLUME /models
USER 10001:10001
EXPOSE 8765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=15m --start-interval=2s \
    CMD ["/opt/youtu-gguf/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8765/readyz', timeout=4)"]
ENTRYPOINT ["youtu-gguf", "serve", "--host", "0.0.0.0", "--port", "8765"]
