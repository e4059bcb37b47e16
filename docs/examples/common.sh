# shellcheck shell=bash
# What the examples share: sourced by each run.sh. Its first argument is the folder to work in, a new one if there is none.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
WORK=${1:-$(mktemp -d)}
mkdir -p "$WORK"
cd "$WORK"
echo "working in $PWD"
MODULE=${KEYCLAVE_PKCS11_MODULE:-/usr/lib/x86_64-linux-gnu/pkcs11/keyclave-pkcs11.so}
export MODULE
STARTED=() # process ids

end_what_was_started() {
  local pid
  for pid in "${STARTED[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}
trap end_what_was_started EXIT

step() { printf '\n== %s\n' "$*"; }

# say COMMAND…: shows the command, then runs it.
say() {
  printf '$ %s\n' "$*"
  "$@"
}

# refused COMMAND…: the command has to fail, and what it says is shown.
refused() {
  printf '$ %s\n' "$*"
  if "$@" >refused.out 2>&1; then
    cat refused.out
    echo "this should have been refused" >&2
    exit 1
  fi
  head -n 12 refused.out
  echo "(refused, as it should be)"
}

# needed PROGRAM PACKAGE
needed() {
  PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null || {
    echo "$1 is not installed: apt-get install $2" >&2
    exit 1
  }
}

# build NAME [ARG…]: compiles NAME.c of the example's folder to ./NAME, with further arguments of the compiler.
build() {
  local name=$1 flags
  shift
  read -r -a flags <<<"$(pkg-config --cflags p11-kit-1)"
  gcc -O2 -Wall -Wextra -Werror -I"$HERE/.." "${flags[@]}" "$HERE/${name%%-*}.c" -o "$name" "$@" -ldl
}

# measurement PROGRAM: what simulated evidence says of it.
measurement() { keyclave evidence measure "$1" 2>/dev/null | cut -d' ' -f1; }

# unhex DIGITS: the bytes.
unhex() { printf '%b' "$(printf %s "$1" | sed 's/../\\x&/g')"; }

# until_true WHAT COMMAND…: asks again until the command succeeds.
until_true() {
  local what=$1 left=300
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ $left -gt 0 ] || {
      echo "waited in vain for $what" >&2
      exit 1
    }
    sleep 0.1
  done
}

keyclave status >/dev/null || {
  echo "no enclave answers. Try: keyclave dev -- $0" >&2
  exit 1
}
needed gcc gcc
needed pkg-config pkg-config
needed pkcs11-tool opensc
