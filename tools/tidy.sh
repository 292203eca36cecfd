#!/usr/bin/env bash
# clang-tidy over the given files, or over the .cpp files that differ from a commit (default: main).
#   tools/tidy.sh                  tools/tidy.sh src/base/*.cpp                  tools/tidy.sh --since HEAD~3
# Needs the Debian package clang-tidy-14, and one ./test before it (for build/dev/compile_commands.json).
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
since=main
if [[ ${1:-} == --since ]]; then
  since=$2
  shift 2
fi
if (($#)); then
  files=("$@")
else
  mapfile -t files < <(git diff --name-only --diff-filter=d "$since" -- 'src/*.cpp' 'apps/*.cpp')
fi
if ((${#files[@]} == 0)); then exit 0; fi
# The compile commands are GCC's; a warning that clang does not know is no finding.
printf '%s\0' "${files[@]}" |
  xargs -0 -P "$(nproc)" -n 1 clang-tidy-14 --quiet -p build/dev --extra-arg=-Wno-unknown-warning-option
