#!/bin/sh
# Alive: the event loop answers, whatever it says. LOADING, BUSY and NOAUTH are answers; a restart would only make it load again.
[ -n "$(valkey-cli -p "${PORT:-6379}" ping 2>/dev/null)" ]
