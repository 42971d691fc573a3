# 字流 ziliu. `make demo` needs Python 3.11 or newer and make, nothing else.
# The first that runs and is new enough: a version manager's shim may exist and still not run.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
VENV   ?= .venv
RUN    := $(VENV)/bin
JOBS   ?= 2
MARKS  ?= not slow and not bench and not gpu and not e2e
PIP    := $(RUN)/python -m pip install --quiet --disable-pip-version-check --no-input -c constraints.txt

.PHONY: help demo test check slow e2e bench format
help:
	@echo "make demo    整条路跑一遍 the whole road on the embedded sample (about 6 minutes after installation)"
	@echo "make test    快速测试 the fast tests"
	@echo "make check   风格、类型、导入规则 style, types, import rules"
	@echo "make slow    慢速测试 the slow tests (servers, kills, training)"
	@echo "make e2e     端到端 the whole road as a test"

$(RUN)/python:
	@test -n "$(PYTHON)" || { \
	  echo "没有找到 Python 3.11 或更新版本: 请安装. No Python 3.11 or newer found: install it, or make PYTHON=..."; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) 太旧: 请用 make PYTHON=/path/to/python3.11. It is too old: use Python 3.11."; exit 1; }
	@echo "==> 创建环境 creating $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "缺少 venv 模块: 在 Debian/Ubuntu 上安装 python3-venv. The venv module is missing: install python3-venv."; exit 1; }

# The stamps make installation happen once, and again when the requirements change.
$(VENV)/.installed: pyproject.toml constraints.txt | $(RUN)/python
	@echo "==> 安装固定版本的依赖, 需要几分钟 installing pinned packages, a few minutes"
	@$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(RUN)/python
	@echo "==> 安装固定版本的依赖与开发工具, 需要几分钟 installing pinned packages and developer tools, a few minutes"
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	@$(RUN)/ziliu demo $(ARGS)

test: $(VENV)/.installed-dev
	@echo "==> 测试 tests: $(MARKS)"
	@$(RUN)/python -m pytest -q -n $(JOBS) --dist loadfile -m "$(MARKS)" $(ARGS)

check: $(VENV)/.installed-dev
	@echo "==> ruff"
	@$(RUN)/ruff check . && $(RUN)/ruff format --check .
	@echo "==> mypy"
	@$(RUN)/mypy
	@echo "==> 导入规则 import rules"
	@$(RUN)/lint-imports

slow: $(VENV)/.installed-dev
	@echo "==> 慢速测试 slow tests"
	@$(RUN)/python -m pytest -q -m "slow and not bench and not gpu and not e2e" $(ARGS)

e2e: $(VENV)/.installed-dev
	@echo "==> 端到端测试 end-to-end tests"
	@$(RUN)/python -m pytest -q -m "e2e and not bench and not gpu" $(ARGS)

bench: $(VENV)/.installed-dev
	@$(RUN)/python -m pytest -q -m bench $(ARGS)

format: $(VENV)/.installed-dev
	@$(RUN)/ruff check --fix . && $(RUN)/ruff format .
