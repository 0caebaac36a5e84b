#!/bin/sh
# Makes the secrets of docker-compose.yml in data/secrets, where they are missing.
set -eu
cd "$(dirname "$0")/../.."

# Containers read the files as users of their own; the folder keeps everybody else out.
mkdir -p data/secrets
chmod 700 data/secrets
cd data/secrets

new() {
  head -c 48 /dev/urandom | base64 | tr -d '/+=\n'
}

keep() {
  [ -s "$1" ] || { cat >"$1.new" && mv "$1.new" "$1"; }
  chmod 444 "$1"
}

new | keep secret_key
new | keep database_password
printf 'postgresql://vlsite:%s@postgres:5432/vlsite' "$(cat database_password)" | keep database_url
