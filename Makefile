# make demo   lifts the recorded clip that ships with lift3d into demo_output/
# make test   lint, types and tests
# Both do their own set-up first (.ci/setup): system libraries, .venv and the packages that constraints.txt pins.

VENV := .venv
BIN := $(VENV)/bin
SETUP := pyproject.toml constraints.txt .ci/setup
export VENV

.PHONY: demo test lint types unit format clean

demo: $(VENV)/base.stamp
	$(BIN)/lift3d demo -o demo_output --overwrite

test: lint types unit

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# datasets/ and viz/ are mapped into the package, which mypy sees only in an installed copy.
types: $(VENV)/dev.stamp
	rm -rf build/lib build/typecheck
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --target build/typecheck .
	MYPYPATH=build/typecheck $(BIN)/mypy -p lift3d

# Many tests start processes of their own, which start faster from kept bytecode, whatever the surroundings say of it.
unit: $(VENV)/dev.stamp
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist demo_output .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/base.stamp: $(SETUP)
	.ci/setup
	touch $@

$(VENV)/dev.stamp: $(SETUP)
	.ci/setup dev
	touch $@ $(VENV)/base.stamp
