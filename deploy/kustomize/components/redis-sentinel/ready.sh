#!/bin/sh
# Ready: it can name a primary.
[ -n "$(valkey-cli -p 26379 sentinel get-master-addr-by-name mymaster 2>/dev/null)" ]
