# One image for every role. CPU torch only; no compiler and no root in what runs.
FROM python:3.11.14-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ && pip install --no-cache-dir uv==0.13.9
WORKDIR /src
COPY pyproject.toml setup.py constraints.txt requirements.lock README.md LICENSE manage.py ./
COPY vlsite vlsite
COPY chat chat
COPY inference inference
# Everything by its hash, then torch's CPU build, which only its own index has, and our code. With bytecode, which uv leaves
# out otherwise and the user below may not write: each start would compile torch alone for three seconds.
RUN export VIRTUAL_ENV=/opt/venv && uv venv /opt/venv \
    && uv pip install --no-cache --compile-bytecode --require-hashes --requirement requirements.lock \
    && uv pip install --no-cache --compile-bytecode --torch-backend=cpu --constraint constraints.txt "."

FROM python:3.11.14-slim-bookworm
RUN useradd --create-home --uid 10001 vlsite && install -d -o vlsite /data
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY manage.py ./
COPY templates templates
COPY vlsite vlsite
COPY chat chat
# With the compiled kernels, which the sources do not have.
COPY --from=build /opt/venv/lib/python3.11/site-packages/inference inference
RUN /opt/venv/bin/python -m compileall -q chat inference vlsite
# Inside a container the port is open to whom it is published, and there are no other users.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 VL_DATA_DIR=/data VL_HOST=0.0.0.0 VL_ACCEPTED_RISKS=open_port,readable_data HF_HOME=/data/hub
USER vlsite
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz')"]
CMD ["sh", "-c", "python manage.py prepare && exec python manage.py serve"]
