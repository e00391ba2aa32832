# All that is done here often. Each target gets what it needs by itself, and only that.
#
#   make help                     what there is
#   make test ARGS="-k caller"    ARGS goes to the command behind a target

python := .venv/bin/python
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help demo test faults run bench lint format lock prompts images clean venv asterisk sipp systemd

help: ## This list
	@echo "make TARGET, where TARGET is one of:"
	@awk -F ':.* ## ' '/^[a-z]+:.* ## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile

demo: venv asterisk sipp ## A small day of calls on a real Asterisk, and the call log they leave
	@$(python) -m lab.demo $(ARGS)

# Four at once, also on two cores, as calls mostly wait: each worker has an Asterisk and addresses of
# its own (lab/ports.py).
test: venv asterisk sipp systemd ## All tests, those against the real Asterisk included
	@$(python) -m pytest --numprocesses 4 --dist worksteal $(ARGS)

SEED := 1
faults: venv asterisk sipp ## Break everything there is, under calls, and see that they ring; SEED=1
	@$(python) -m tests.faults --seed $(SEED) $(ARGS)
	@FAULTS=full SEED=$(SEED) $(python) -m pytest tests/faults/test_flood.py tests/faults/test_malice.py

run: venv asterisk ## Asterisk and the screener in the foreground; Ctrl-C ends them
	@scripts/get-tools ip
	@$(python) -m lab.run $(ARGS)

bench: venv asterisk sipp ## What screened calls and shared lists cost; one of them: ARGS=cost, ARGS=lists
	@$(python) -m bench $(ARGS)

lint: venv ## Linter, formatter in checking mode, type checker, shell scripts
	@scripts/get-tools shellcheck
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy
	shellcheck scripts/* config/asterisk/start .ci/run

format: venv ## Put all Python files into the one format, and mend what can be mended safely
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

lock: ## Make the lock files again; ARGS=--upgrade for newer versions
	@scripts/lock $(ARGS)

prompts: ## Make the recordings that callers hear again from their texts
	@scripts/get-venv .venv-prompts prompts/requirements.txt
	.venv-prompts/bin/python prompts/make.py $(ARGS)

images: ## Build the container images and place a call through them
	@scripts/check-images

clean: ## Remove all that was fetched or made here, but no call log and no recording
	rm -rf .venv .venv-* .asterisk .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@scripts/get-venv .venv requirements/dev.txt .

asterisk:
	@scripts/get-asterisk

sipp:
	@scripts/get-tools sipp

systemd:
	@scripts/get-tools systemd-analyze
