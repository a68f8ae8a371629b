# What untrusted code runs in: an interpreter and nothing of ours (the guest arrives over stdin at start).
# Packages that a benchmark may import are chosen by a build argument: PACKAGES="python3-numpy" (Debian names).
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
ARG PACKAGES=""
RUN if [ -n "$PACKAGES" ]; then apt-get update && apt-get install -y --no-install-recommends $PACKAGES && rm -rf /var/lib/apt/lists/*; fi
USER 65534:65534
WORKDIR /tmp
ENTRYPOINT []
CMD ["python3", "-I", "-V"]
