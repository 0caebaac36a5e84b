#!/usr/bin/env bash
# Installs the Debian packages of the commands named, where these commands are missing.
set -euo pipefail

declare -A package_of=([chromium]=chromium [node]=nodejs [npm]=npm [g++]=g++
  [redis-server]=redis-server [postgres]=postgresql [caddy]=caddy)
missing=()
for command in "$@"; do
  # Debian keeps the programs of each PostgreSQL beside the path.
  PATH="$PATH$(printf ':%s' /usr/lib/postgresql/*/bin)" command -v "$command" >/dev/null \
    || missing+=("${package_of[$command]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
echo "Installing ${missing[*]} …"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -qq --no-install-recommends "${missing[@]}" >/dev/null
