# dbz in a container: `docker build -t dbz .`, then `docker run --rm --network host -v "$PWD/reports:/work/reports" dbz load URL`.
# EXTRAS says what is installed beside the core: `load` the generator, `embedded` the demo stack too, `all` everything.
FROM python:3.12-slim AS build
ARG EXTRAS=load
WORKDIR /src
COPY pyproject.toml constraints.txt README.md ./
COPY dbz ./dbz
COPY configs ./configs
COPY scenarios ./scenarios
RUN python -m venv /opt/dbz && /opt/dbz/bin/pip install --no-cache-dir --constraint constraints.txt ".[$EXTRAS]"

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 dbz && install -d -o dbz /work /work/reports
COPY --from=build /opt/dbz /opt/dbz
ENV PATH=/opt/dbz/bin:$PATH PYTHONUNBUFFERED=1
USER dbz
WORKDIR /work
ENTRYPOINT ["dbz"]
CMD ["--help"]
