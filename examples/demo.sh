#!/usr/bin/env bash
# What `make demo` runs: a search on generated images, its leaderboard, the best network as a
# bundle, and that bundle's predictions on images it has not seen.
set -euo pipefail
cd "$(dirname "$0")/.."
RUN=${RUN:-results/demo}

say() { printf '\n\033[1m%s\033[0m\n' "$1"; }

say "1/4  Search: 10 trials on generated scenes"
mtlsearch search examples/scenes.yaml --out "$RUN"

say "2/4  Leaderboard"
mtlsearch leaderboard "$RUN" --plot "$RUN/leaderboard.png"

say "3/4  Export the best architecture"
mtlsearch export "$RUN" --trial best --out "$RUN/best"

say "4/4  Predict with ONNX Runtime on images the network has not seen"
mtlsearch sample examples/scenes.yaml --split test --count 4 --out "$RUN/unseen"
mtlsearch predict "$RUN/best" "$RUN"/unseen/*.png --out "$RUN/predictions" > "$RUN/predictions.json"

say "Where everything lies"
cat <<END
  $RUN/run.yaml           the run file, resolved
  $RUN/study.journal      the Optuna study
  $RUN/leaderboard.png    Δm against FLOPs, the Pareto front
  $RUN/best/              the bundle: ONNX, torch.export, safetensors, bundle.json
  $RUN/predictions/       predictions drawn on unseen images
  $RUN/predictions.json   the same as JSON

What to type next
  .venv/bin/mtlsearch init my-run                          a commented run file for your own images
  .venv/bin/mtlsearch search examples/scenes.yaml --out $RUN --trials 20   go on with this search
  .venv/bin/mtlsearch leaderboard $RUN --format markdown   the same table for a report
END
