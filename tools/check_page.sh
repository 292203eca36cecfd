#!/usr/bin/env bash
# Builds the web page anew and says whether apps/web/dist is what its sources make; also its types and unit tests.
# Needs Node.js 20 or later and npm. --installed: with the packages that are there, installing none. 77: they are not there.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../apps/web"
if ! command -v npm >/dev/null || (($(node -p 'process.versions.node.split(".")[0]') < 20)); then
  echo "skipped: Node.js 20 or later is not installed: the page was not built" >&2
  exit 77
fi
if [[ ${1:-} != --installed ]]; then
  npm ci --no-fund --no-audit >/dev/null
elif ! npm ls --all >/dev/null 2>&1; then
  echo "skipped: the page's packages are not installed (cd apps/web && npm ci)" >&2
  exit 77
fi
npm run --silent check
npm run --silent test
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
npx vite build --outDir "$built" --emptyOutDir >/dev/null
diff -r dist "$built" || { echo "apps/web/dist is not what the sources make: run npm run build and commit it" >&2; exit 1; }
npm run --silent size
echo "page: ok"
