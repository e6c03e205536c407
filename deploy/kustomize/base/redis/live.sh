#!/bin/sh
# Live if the event loop answers anything. LOADING, BUSY and NOAUTH are answers; a restart would only repeat the loading.
[ -n "$(valkey-cli -p "${PORT:-6379}" ping 2>/dev/null)" ]
