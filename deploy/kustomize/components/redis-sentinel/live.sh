#!/bin/sh
# Alive: it answers, whatever it says.
[ -n "$(valkey-cli -p 26379 ping 2>/dev/null)" ]
