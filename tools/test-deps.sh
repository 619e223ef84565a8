#!/usr/bin/env bash
# Install what the tests need beyond Python packages. Without root or apt: say what is missing; those tests skip.
set -euo pipefail
declare -A needs=(
    [memcached]=memcached [check_dummy]=monitoring-plugins-basic [cc]=gcc [tmux]=tmux
    [redis-server]=redis-server [redis-sentinel]=redis-sentinel [etcd]=etcd-server
    [ip]=iproute2 [nft]=nftables [iptables]=iptables [strace]=strace
)
missing=()
for command in "${!needs[@]}"; do
    PATH="$PATH:/usr/sbin:/usr/lib/nagios/plugins" command -v "$command" >/dev/null || missing+=("${needs[$command]}")
done
[ ${#missing[@]} = 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]} ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "some tests will skip; for them install: ${missing[*]}"
fi
