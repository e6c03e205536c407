#!/bin/sh
# Live if the event loop answers anything.
[ -n "$(valkey-cli -p "${PORT:-6379}" ping 2>/dev/null)" ]
