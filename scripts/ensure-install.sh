#!/bin/sh
# Runs before every command of the README: brings node_modules in line with package-lock.json and makes
# sure that a Node with type stripping (22.18 or newer) will run the scripts. Quick when nothing is to do.
set -eu
cd "$(dirname "$0")/.."

LOCK=package-lock.json
STAMP=node_modules/.gatehouse-lock

installed() {
  [ -d node_modules ] || return 1
  # A copy of the lock that was installed: equal means in line.
  cmp -s "$LOCK" "$STAMP" && return 0
  # Installed by hand (`npm ci`, `npm install`) after the lock was last written.
  [ -f node_modules/.package-lock.json ] && [ ! "$LOCK" -nt node_modules/.package-lock.json ]
}

# npm itself, run by the Node that runs it now: node_modules/.bin/node is about to be replaced.
npm_ci() {
  set -- ci --no-audit --no-fund --loglevel=error
  if [ -n "${npm_node_execpath:-}" ] && [ -x "$npm_node_execpath" ] && [ -f "${npm_execpath:-}" ]; then
    "$npm_node_execpath" "$npm_execpath" "$@"
  else
    npm "$@"
  fi
}

install() {
  echo 'gatehouse: installing dependencies (npm ci, about half a minute the first time)'
  npm_ci &
  pid=$!
  trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
  seconds=0
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    seconds=$((seconds + 1))
    [ $((seconds % 10)) -ne 0 ] || echo "gatehouse: still installing, $seconds s"
  done
  trap - INT TERM
  if ! wait "$pid"; then
    echo 'gatehouse: npm ci failed; its message is above. Check the package registry and try again.' >&2
    exit 1
  fi
  echo "gatehouse: dependencies are installed ($seconds s)"
}

node_is_new_enough() {
  "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 18) ? 0 : 1)' 2>/dev/null
}

# `npm ci` through a link would empty the folder that it points to, which others may be using.
if [ -L node_modules ]; then
  installed || echo 'gatehouse: node_modules is a link, so it is used as it is, though package-lock.json differs.' >&2
else
  installed || install
  cmp -s "$LOCK" "$STAMP" || cp "$LOCK" "$STAMP"
fi

if [ -x node_modules/.bin/node ] && node_is_new_enough node_modules/.bin/node; then exit 0; fi
if node_is_new_enough node; then exit 0; fi
echo "gatehouse: Node 22.18 or newer is needed, and this is $(node --version 2>/dev/null || echo 'no Node at all')." >&2
echo 'gatehouse: npm brings its own Node 22 on Linux and Windows (x64); on this system install Node 22 from https://nodejs.org and run the command again.' >&2
exit 1
