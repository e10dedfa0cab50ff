# JupyterLab with hpa_nb. A CUDA base by default; for a CPU: --build-arg BASE=python:3.11-slim
#   docker build -t hpa_nb .
#   docker run -p 8888:8888 hpa_nb                                        opens JupyterLab
#   docker run --gpus all -v "$PWD/results:/home/hpa/work/results" hpa_nb scripts/train.sh -p fold 0
ARG BASE=nvidia/cuda:13.0.0-runtime-ubuntu24.04
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends git python3 python3-venv && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home hpa
USER hpa
WORKDIR /home/hpa/work
COPY --chown=hpa . .
RUN bash -c 'source scripts/setup.sh' && mkdir -p results
EXPOSE 8888
CMD ["scripts/notebooks.sh", "--ip", "0.0.0.0", "--no-browser"]
