#!/usr/bin/env bash
# Makes the Debian package of the release build and prints its name, with what is missing installed first as ./run does.
set -euo pipefail
root=$(realpath "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/..")
source "$root/tools/setup.sh"

mkdir -p "$root/build"
install_packages "${build_packages[@]}" dpkg-dev file  # they find the packages that the program depends on
prepare release mezzo "${build_packages[@]}"
quietly "$root/build/package.log" cpack --config "$root/build/release/CPackConfig.cmake" -B "$root/build/package"
ls "$root"/build/package/*.deb
