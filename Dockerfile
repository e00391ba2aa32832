# Two images: Asterisk, which carries the calls, and the screener, which decides about them.
# compose.yaml runs both. Nothing in them runs as root.

FROM docker.io/library/debian:forky-slim AS base
ENV LANG=C.UTF-8
# tzdata: people read the call log in local time.
RUN apt-get update \
    && apt-get install -y --no-install-recommends tzdata \
    && apt-get clean && rm -rf /var/lib/apt/lists/*
# One number in both images: they share the recordings and the passwords, which nobody else may read.
RUN groupadd --gid 10001 screener \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin screener
WORKDIR /srv/screener
COPY prompts/ja prompts/ja
COPY prompts/en prompts/en
# A new volume takes over the owner of the directory it is put on.
RUN install -d -o screener -g screener -m 0700 recordings state state/secrets


FROM base AS asterisk
# iproute2: the start script asks for the address that this machine uses towards others.
RUN apt-get update \
    && apt-get install -y --no-install-recommends asterisk iproute2 \
    && apt-get clean && rm -rf /var/lib/apt/lists/* \
    && install -d -o screener -g screener -m 0700 state/asterisk
COPY dialplan dialplan
COPY config/asterisk config/asterisk
COPY config/emergency-numbers config/
USER 10001:10001
VOLUME ["/srv/screener/state/asterisk", "/srv/screener/state/secrets", "/srv/screener/recordings"]
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=3 \
    CMD asterisk -C /srv/screener/state/asterisk/etc/asterisk.conf -rx "pjsip show transport transport-udp" | grep -q "^Transport: *transport-udp"
CMD ["/srv/screener/config/asterisk/start"]


FROM base AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && apt-get clean && rm -rf /var/lib/apt/lists/*
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/build.txt requirements/run.txt requirements/
# pip stays in an environment of its own, so that the screener's has only what it runs on.
RUN python3 -m venv tools \
    && tools/bin/pip install --quiet --require-hashes --requirement requirements/build.txt \
    && python3 -m venv --without-pip /opt/screener \
    && tools/bin/pip --python /opt/screener/bin/python install --quiet --require-hashes \
        --requirement requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY screener screener
RUN tools/bin/pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir wheel . \
    && tools/bin/pip --python /opt/screener/bin/python install --quiet --no-index --no-deps wheel/*.whl


FROM base AS screener
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 \
    && apt-get clean && rm -rf /var/lib/apt/lists/* \
    && install -d -o screener -g screener -m 0700 state/database
COPY --from=build /opt/screener /opt/screener
COPY config/screener.toml config/fraud-list.csv config/
ENV PATH=/opt/screener/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    SCREENER_DATABASE__PATH=state/database/screener.db SCREENER_LISTS__DIRECTORY=state/database/lists
USER 10001:10001
VOLUME ["/srv/screener/state/database", "/srv/screener/state/secrets", "/srv/screener/recordings"]
HEALTHCHECK --interval=60s --timeout=20s --start-period=30s --retries=3 CMD ["screener", "ready"]
CMD ["screener", "run"]
