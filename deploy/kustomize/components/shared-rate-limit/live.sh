#!/bin/sh
# Alive: the event loop answers, whatever it says.
[ -n "$(valkey-cli -p "${PORT:-6379}" ping 2>/dev/null)" ]
