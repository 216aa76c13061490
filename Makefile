# make demo    set everything up and hear the sample music
# make test    set everything up and run every check and test
# Both create .venv in this folder and need nothing but Python >= 3.11 and make.

PYTHON ?= python3
# The MERT tests need torch. Its CPU build is enough and much smaller than the one with CUDA:
#   make test TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH ?= torch==2.13.0
TORCH_INDEX ?=

# One more than there are processors: tests wait for servers a good part of their time.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + 1)')

PIP = .venv/bin/pip --disable-pip-version-check --quiet
DEMO = MESS_HOME=$(CURDIR)/.demo .venv/bin/mess

.PHONY: demo test check newest clean

demo: .venv/installed
	@echo "== indexing samples/ (once: run again and nothing is encoded twice)"
	$(DEMO) index samples
	@echo "== songs that feel like “Lucky 13”"
	$(DEMO) similar "lucky 13" --k 5
	@echo "== where else does it sound like seconds 40 to 55 of “Farewell”?"
	$(DEMO) similar farewell --start 40 --end 55 --k 5
	@echo "See and hear it:  MESS_HOME=$(CURDIR)/.demo .venv/bin/mess up && MESS_HOME=$(CURDIR)/.demo .venv/bin/mess open   (http://127.0.0.1:8765)"
	@echo "Your own music:   .venv/bin/mess index ~/Music   then   .venv/bin/mess similar WORDS"

test: .venv/tested check newest
	.venv/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile

# The unit tests that need no torch, on the newest Python of this machine where that is a newer one.
newest: .venv/tested
	@python=$$(.venv/bin/python tests/newest_python.py); \
	if [ -z "$$python" ]; then echo "== left out: the unit tests on a newer Python; there is none here"; exit 0; fi; \
	echo "== the unit tests on $$python"; \
	[ .venv-newest/installed -nt pyproject.toml ] || { \
		rm -rf .venv-newest && $$python -m venv .venv-newest && \
		.venv-newest/bin/pip --disable-pip-version-check --quiet install --editable ".[beets,dev]" && \
		touch .venv-newest/installed; } && \
	.venv-newest/bin/python -m pytest tests/unit --numprocesses $(WORKERS) --dist loadfile -q

check: .venv/tested
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "MESS needs Python 3.11 or newer, this is " + sys.version)'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml
	$(PIP) install --editable .
	@touch $@

.venv/tested: .venv/installed
	$(PIP) install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	$(PIP) install --editable ".[mert,beets,tune,dev]"
	@touch $@

clean:
	rm -rf .venv .venv-newest .demo dist build
