#!/bin/sh
# Ready: it knows a primary to name.
[ -n "$(valkey-cli -p 26379 sentinel get-master-addr-by-name mymaster 2>/dev/null)" ]
