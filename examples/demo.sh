#!/usr/bin/env bash
# Run by `make demo`: a search on generated images, its leaderboard, the best network as a bundle,
# and predictions of the bundle on unseen images.
set -euo pipefail
cd "$(dirname "$0")/.."
RUN=${RUN:-results/demo}

step() { printf '\n\033[1m%s\033[0m\n' "$1"; }

step "1/4  Search: 10 trials on generated scenes"
mtlsearch search examples/scenes.yaml --out "$RUN"

step "2/4  Leaderboard and page"
mtlsearch leaderboard "$RUN" --plot "$RUN/leaderboard.png"
mtlsearch report "$RUN"

step "3/4  Export the best trial"
mtlsearch export "$RUN" --trial best --out "$RUN/best"

step "4/4  Predict unseen images with ONNX Runtime"
mtlsearch sample examples/scenes.yaml --split test --count 4 --out "$RUN/unseen"
mtlsearch predict "$RUN/best" "$RUN"/unseen/*.png --out "$RUN/predictions" > "$RUN/predictions.json"

step "Files"
cat <<END
  $RUN/run.yaml           the resolved run file
  $RUN/study.journal      the Optuna study
  $RUN/leaderboard.png    Δm against FLOPs, the Pareto front
  $RUN/report.html        the page of the run: open it in a browser
  $RUN/best/              the bundle: ONNX, torch.export, safetensors, bundle.json
  $RUN/predictions/       predictions, drawn on unseen images
  $RUN/predictions.json   the same as JSON

Next commands
  .venv/bin/mtlsearch init my-run                          a commented run file for your own images
  .venv/bin/mtlsearch search examples/scenes.yaml --out $RUN --trials 20   more trials of this search
  .venv/bin/mtlsearch leaderboard $RUN --format markdown   the same table for a report
END
