# Shortcuts; each is one command of the README or of pyproject's tools.

test *arguments:
    scripts/test {{arguments}}

check:
    .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports

# Writes the golden files of mapping cases anew and shows what changed.
bless form:
    FHIR_BLESS=1 .venv/bin/python -m pytest -q tests/cases/test_mapping_cases.py -k {{form}}; git --no-pager diff --stat -- mappings/{{form}}

# The long runs that scripts/test leaves out.
slow:
    .venv/bin/python -m pytest -m slow

bench:
    for file in tests/bench/bench_*.py; do echo "== $file"; .venv/bin/python "$file"; done

demo:
    scripts/demo
