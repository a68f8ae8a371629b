# One image for the Prefect server, the MLflow server, workers and the flow runs of the pool coderm-docker: the pins that were tested
# together. Untrusted code never runs in it.
#   make flows-image                          from wheels that pip got on this machine: the build has no network. Where no image can be
#                                             pulled it stands on the Debian of infra/docker/build_base.sh, as the sandbox's image does
#   docker build -f infra/docker/flows.Dockerfile -t coderm-flows .                      the build asks a package index itself
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
ARG PIP_OPTIONS=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/coderm
# LICENSE stands beside a folder that may be missing, since COPY refuses a pattern that finds nothing
COPY LICENSE build/wheel[s] /wheels/
COPY pyproject.toml constraints.txt ./
# what we depend on, a layer that changes with the pins only; pip may come as a wheel, which is importable as it is
RUN python3 -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
print(*p['dependencies'], *p['optional-dependencies']['server'], sep='\n')" > /tmp/requirements.txt \
    && python3 -m venv --without-pip /opt/venv \
    && PYTHONPATH="$(ls /wheels/pip-*.whl 2>/dev/null || true)" python3 -m pip --python /opt/venv/bin/python install ${PIP_OPTIONS} \
        -c constraints.txt -r /tmp/requirements.txt
# the product itself is a pointer to /opt/coderm, where all of it will be: here its metadata needs only that the names are there
RUN touch README.md LICENSE && mkdir -p infra/demo infra/docker \
    && PYTHONPATH="$(ls /wheels/pip-*.whl 2>/dev/null || true)" python3 -m pip --python /opt/venv/bin/python install ${PIP_OPTIONS} \
        --no-deps --editable .

FROM ${BASE}
RUN useradd --uid 10001 --create-home coderm && mkdir /state && chown coderm /state
COPY --from=build /opt/venv /opt/venv
WORKDIR /opt/coderm
COPY LICENSE README.md pyproject.toml build/REVISIO[N] ./
COPY flows flows
COPY tasks tasks
COPY models models
COPY sandbox sandbox
COPY db db
COPY infra infra
USER coderm
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/home/coderm \
    CODERM_HOME=/state PREFECT_HOME=/state/prefect CODERM_CHECKOUT=/opt/coderm CODERM_CONTAINERS_ONLY=true \
    DO_NOT_TRACK=true PREFECT_SERVER_ANALYTICS_ENABLED=false MLFLOW_DISABLE_TELEMETRY=true GX_ANALYTICS_ENABLED=false
VOLUME /state
ENTRYPOINT ["sh", "/opt/coderm/infra/docker/entrypoint.sh"]
CMD ["coderm", "doctor"]
