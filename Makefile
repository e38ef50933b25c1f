# make demo       trains a small model on synthetic nuclei and shows what it finds (three minutes on two cores, installation apart)
# make test       ruff, mypy, pytest (five minutes on two cores)
# make test-all   the slow tests too: several processes, packed bundles elsewhere, memory, the demo; no tool may be missing
# make lint       ruff and mypy only
# PYTHON          the Python to build .venv with, 3.11 or newer

PYTHON ?= python3
BIN := .venv/bin
DEMO := demo
BUNDLE := bundles/unet_dsb
export MONAI_FAIL_ON_DUPLICATE_CONFIG := 1

.PHONY: demo test test-all lint pytest pytest-all clean
.DELETE_ON_ERROR:

# The stamp is written last, so an installation that was interrupted is taken up again.
.venv/installed-%: requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements$(if $(filter dev,$*),-dev).txt
	@touch $@

test: .venv/installed-dev
	@$(MAKE) --no-print-directory --jobs=2 lint pytest

test-all: .venv/installed-dev
	@$(MAKE) --no-print-directory --jobs=2 lint pytest-all
	@$(MAKE) --no-print-directory demo

pytest pytest-all: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(if $(filter pytest-all,$@),--all)

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

demo: .venv/installed-run
	@rm -rf $(DEMO)
	$(BIN)/python -m shared synthesize dsb --output $(DEMO)/raw --cases 48 --seed 0 --size 256x256
	$(BIN)/python -m shared prepare dsb --source $(DEMO)/raw --output $(DEMO)/data
	$(BIN)/python -m monai.bundle run training --config_file $(BUNDLE)/configs/train.json \
	    --dataset_dir $(DEMO)/data --output_dir $(DEMO)/run --epochs 30 --val_interval 10 --patch_size '[128,128]'
	$(BIN)/python -m shared synthesize dsb --output $(DEMO)/unseen_raw --cases 8 --seed 1
	@mkdir -p $(DEMO)/unseen && cp $(DEMO)/unseen_raw/*/images/*.png $(DEMO)/unseen/
	$(BIN)/python -m monai.bundle run --config_file $(BUNDLE)/configs/inference.json \
	    --dataset_dir $(DEMO)/unseen --output_dir $(DEMO)/found --checkpoint $(DEMO)/run/model.pt --save_overlay True
	$(BIN)/python -m monai.bundle run --config_file $(BUNDLE)/configs/inference.json \
	    --dataset_dir $(DEMO)/unseen --output_dir $(DEMO)/found_shipped --save_overlay True
	@$(BIN)/python -c 'import json; s = json.load(open("$(DEMO)/run/summary.json")); \
	    print("\nheld-out pictures: " + ", ".join(f"{k} {s[k]:.3f}" for k in ("dice", "iou", "dsb_score", "ap50")))'
	@echo "overlays, held out:  $(DEMO)/run/overlays/   (truth green, found orange, both yellow)"
	@echo "overlays, unseen:    $(DEMO)/found/*_overlay.png; with the weights shipped: $(DEMO)/found_shipped/*_overlay.png"
	@echo "table of nuclei:     $(DEMO)/found/findings.csv"

clean:
	rm -rf $(DEMO) .venv
