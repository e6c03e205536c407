#!/bin/sh
# Live if it answers anything.
[ -n "$(valkey-cli -p 26379 ping 2>/dev/null)" ]
