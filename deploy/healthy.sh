#!/bin/bash
# healthy.sh /health | /ready: whether the server on this loopback says 200. For probes of containers, which have no curl.
at=${DUCKMESH_HTTP:-127.0.0.1:5480}
exec 3<>"/dev/tcp/${at%:*}/${at##*:}" || exit 1
printf 'GET %s HTTP/1.0\r\n\r\n' "${1:-/ready}" >&3
read -r line <&3
[[ $line == *' 200 '* ]]
