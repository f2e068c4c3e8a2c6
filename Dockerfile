# The search service, `kedro serve`, on CPU. conf/ and data/ are mounted: see compose.yml.
FROM python:3.12-slim AS build
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY src src
# The index has torch without CUDA, which is 4 GB smaller; pip prefers its versions, `…+cpu`.
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -e ".[serve,heic]"

FROM python:3.12-slim
ENV PATH=/venv/bin:$PATH \
    HOME=/tmp \
    DO_NOT_TRACK=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER 10001
EXPOSE 8000
HEALTHCHECK --start-period=60s --interval=30s --timeout=5s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health')"]
ENTRYPOINT ["kedro", "serve", "--host=0.0.0.0"]
