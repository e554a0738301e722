#!/bin/sh
# Installs what tests use of the system, where it is missing, with one call of apt-get.
set -eu

# A program, and the package that it comes with.
wanted='
chromium chromium
logrotate logrotate
nginx nginx-light
systemd-analyze systemd
'

# Only root has all of them in the path.
PATH="$PATH:/usr/sbin:/sbin"
missing="$(echo "$wanted" | while read -r program package; do
    [ -z "$program" ] || command -v "$program" >/dev/null || printf ' %s' "$package"
done)"
[ -n "$missing" ] || exit 0

root=
if [ "$(id -u)" != 0 ]; then
    root="sudo -n"
fi
if ! command -v apt-get >/dev/null || ! $root true 2>/dev/null; then
    echo "filetracker: missing here; install it with: sudo apt-get install$missing" >&2
    exit 1
fi
echo "Installing with apt-get:$missing"
$root apt-get update -qq
# Offline, systemd does not start as a service what comes with one.
$root env SYSTEMD_OFFLINE=1 DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends $missing </dev/null
