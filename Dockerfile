# One image for all: the command says what a container is. Build: docker build -t magnetcast .
FROM python:3.11-slim-bookworm

# libgomp1: LightGBM. postgresql-client: pg_dump and pg_restore, for backups of PostgreSQL.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 magnetcast \
    && install -d -o magnetcast /var/lib/magnetcast

WORKDIR /app
COPY requirements.image.lock pyproject.toml README.md ./
RUN pip install --no-cache-dir --require-hashes -r requirements.image.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable .

ENV PYTHONUNBUFFERED=1 \
    MAGNETCAST_HOME=/var/lib/magnetcast
USER magnetcast
VOLUME ["/var/lib/magnetcast"]
CMD ["magnetcast", "status"]
