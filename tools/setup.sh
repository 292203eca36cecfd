# Sourced by ./run and ./test, which set `root`: installs the packages that are missing and builds a preset.
# Everything is told on stderr, one line a phase; a log is shown only when its phase failed.
# shellcheck shell=bash disable=SC2034,SC2154

build_packages=(
  g++ cmake ninja-build ccache pkg-config  # the tools
  libhwy-dev                               # Highway (SIMD kernels)
  nlohmann-json3-dev libcli11-dev libfmt-dev
  libpng-dev libjpeg-dev libwebp-dev zlib1g-dev
  libutf8proc-dev                          # Unicode normalisation for the tokenizer
  libboost1.81-dev libsqlite3-dev          # the server: Beast (HTTP), its queue and gallery
)
# A question mark: only where the distribution has it. The format check needs exactly that version.
test_packages=(libgtest-dev libgmock-dev python3 pybind11-dev python3-dev python3-pil python3-numpy python3-yaml dpkg-dev file groff-base "clang-format-14?")

# Compiled files are found again from any other checkout of the same sources.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1

say() { printf '%s\n' "$*" >&2; }

# quietly LOG COMMAND...: runs it with its output in LOG, and shows the end of LOG when it fails.
quietly() {
  local log=$1
  shift
  if "$@" >"$log" 2>&1 </dev/null; then return 0; fi
  tail -n 60 "$log" >&2
  say "Failed: $*" "(the whole log: $log)"
  return 1
}

# missing_packages PACKAGE...: those that are not installed.
missing_packages() {
  local installed package
  installed=" $(dpkg-query -W -f='${db:Status-Status} ${Package} ' "${@%\?}" 2>/dev/null || true)"
  for package; do
    if [[ $installed != *" installed ${package%\?} "* ]]; then printf '%s\n' "$package"; fi
  done
}

# available PACKAGE...: those that apt can install; a package without question mark always counts.
available() {
  local package
  for package; do
    if [[ $package != *\? ]]; then
      printf '%s\n' "$package"
    elif apt-cache show "${package%\?}" >/dev/null 2>&1; then
      printf '%s\n' "${package%\?}"
    fi
  done
}

# install_packages PACKAGE...: installs what is missing with apt. Elsewhere than on Debian it only says what is needed.
install_packages() {
  local missing as_root=() stamp=$root/build/packages.stamp
  if [[ $stamp -nt /var/lib/dpkg/status && $(<"$stamp") == "$*" ]]; then return 0; fi
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "Not a Debian system, so nothing is installed. Mezzotint needs what these Debian packages hold: ${*%\?}"
    return 0
  fi
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]})); then
    if ((EUID != 0)); then
      if ! command -v sudo >/dev/null; then
        say "Missing packages. Install them as root and start again:  apt-get install ${missing[*]%\?}"
        return 1
      fi
      as_root=(sudo)
    fi
    say "Installing what building Mezzotint needs (apt-get${as_root[0]:+ with sudo}): ${missing[*]%\?}"
    # When the network is away, apt may still hold the packages: a failed update is not the end.
    quietly "$root/build/apt-update.log" "${as_root[@]}" apt-get update || say "Trying with the package lists that are there."
    mapfile -t missing < <(available "${missing[@]}")
    quietly "$root/build/apt-install.log" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" || return 1
  fi
  printf '%s\n' "$*" >"$stamp"
}

# One compiler a processor, but no more than memory holds (about 1 GiB each).
build_jobs() {
  local jobs memory
  jobs=$(nproc)
  memory=$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo 2>/dev/null || true)
  if [[ -n $memory && $memory -lt $jobs ]]; then jobs=$memory; fi
  echo $((jobs > 1 ? jobs : 1))
}

# is_fresh PRESET: whether nothing that its build depends on (sources, build files, packages) is newer than the build.
is_fresh() {
  local stamp=$root/build/$1/built.stamp inputs=(CMakeLists.txt CMakePresets.json cmake include src apps data models tools/setup.sh)
  if [[ $1 != release ]]; then inputs+=(tests); fi
  [[ -e $stamp && ! /var/lib/dpkg/status -nt $stamp ]] || return 1
  [[ -z $(cd "$root" && find "${inputs[@]}" -newer "$stamp" -print -quit 2>/dev/null) ]]
}

# build PRESET TARGET: configures where needed, and builds.
build() {
  local preset=$1 target=$2 dir=$root/build/$1 begun=$SECONDS jobs
  mkdir -p "$dir"
  if [[ ! -e $dir/configured.stamp || $root/CMakePresets.json -nt $dir/configured.stamp ]]; then
    say "Configuring build/$preset"
    if ! quietly "$dir/configure.log" cmake -S "$root" --preset "$preset"; then
      say "If this folder was moved or copied, remove $dir and start again."
      return 1
    fi
    touch "$dir/configured.stamp"
  fi
  jobs=$(build_jobs)
  touch "$dir/begun.stamp"  # what is edited during the build is newer than this
  say "Building build/$preset with $jobs jobs (minutes the first time; progress: build/$preset/build.log)"
  quietly "$dir/build.log" ninja -C "$dir" -j "$jobs" "$target" || return 1
  mv "$dir/begun.stamp" "$dir/built.stamp"
  say "Built build/$preset in $((SECONDS - begun)) s"
}

# prepare PRESET TARGET PACKAGE...: packages and build, unless all is up to date. Calls at the same time wait in line.
prepare() {
  local preset=$1 target=$2
  shift 2
  if is_fresh "$preset"; then return 0; fi
  mkdir -p "$root/build"
  {
    if command -v flock >/dev/null; then flock 9; fi
    is_fresh "$preset" || { install_packages "$@" && build "$preset" "$target"; }
  } 9>"$root/build/lock"
}
