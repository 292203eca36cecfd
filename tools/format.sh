#!/usr/bin/env bash
# Formats every C++ file of the tree; with --check it only says which ones are not as .clang-format has them.
# Exactly version 14 counts: others break lines elsewhere. 77 tells ctest that the check was skipped.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
if ! command -v clang-format-14 >/dev/null; then
  echo "clang-format-14 is not installed (Debian package clang-format-14): formatting was not checked" >&2
  exit 77
fi
mapfile -t files < <(find include src apps bindings tests bench fuzz -regex '.*\.\(h\|cpp\|inl\)' 2>/dev/null | sort)
# shellcheck disable=SC2016 # $0 is for the inner shell
unformatted='clang-format-14 --dry-run -Werror "$0" 2>/dev/null || { echo "$0: not formatted"; exit 1; }'
each() { printf '%s\0' "${files[@]}" | xargs -0 -P "$(nproc)" -n 1 "$@"; }
if [[ ${1:-} != --check ]]; then
  each clang-format-14 -i
elif ! each sh -c "$unformatted"; then
  echo "Run tools/format.sh to mend the formatting." >&2
  exit 1
fi
echo "formatting: ${#files[@]} files"
